# SPDX-FileCopyrightText: 2026 The fastlsq authors
# SPDX-License-Identifier: BSD-3-Clause
"""A Gram state as a few plain arrays: in files, in pickles, in a notebook.

A file is NumPy's npz without compression: a zip of arrays, none of them pickled, with a version and a checksum over
all of them.
"""

import hashlib
import html
import os
import secrets
import zipfile
import zlib
from contextlib import suppress
from pathlib import Path

import numpy as np

from fastlsq.solve.moments import NormalEquations, Units

FORMAT, VERSION = "fastlsq.Gram", 1
_ARRAYS = {  # name: dimensions
    "exponents": 1, "shift": 1, "mean": 1, "triangle": 1, "c": 2, "yy": 1, "raw_diagonal": 1, "raw_yy": 1,
}
_SCALARS = {"n_rows": int, "lead": int, "intercept": bool, "sum_weights": float, "plain": bool, "subtracted": bool}


def compact(equations):
    """The equations as a dict of arrays and numbers: of M the upper triangle, by rows."""
    units = equations.units
    return {
        "exponents": units.exponents, "shift": units.shift, "plain": units.plain, "n_rows": equations.n_rows,
        "lead": equations.lead, "intercept": equations.intercept, "sum_weights": equations.sum_weights,
        "mean": equations.mean, "triangle": equations.m[np.triu_indices(equations.p)], "c": np.array(equations.c),
        "yy": equations.yy, "raw_diagonal": equations.raw_diagonal, "raw_yy": equations.raw_yy,
        "subtracted": equations.subtracted,
    }


def expanded(fields):
    """`NormalEquations` of what `compact` gave."""
    p = fields["raw_diagonal"].shape[0]
    m = np.zeros((p, p))
    m[np.triu_indices(p)] = fields["triangle"]
    m += np.triu(m, 1).T
    return NormalEquations(
        Units(fields["exponents"], fields["shift"], fields["plain"]), fields["n_rows"], fields["lead"],
        fields["intercept"], fields["sum_weights"], fields["mean"], m, fields["c"], fields["yy"],
        fields["raw_diagonal"], fields["raw_yy"], subtracted=fields["subtracted"],
    )


def save(path, state):
    """Write (intercept, names, named, compact equations or None, weighted rows) to a file, all or nothing."""
    intercept, names, named, fields, n_weighted = state
    arrays = {
        "format": np.array(FORMAT), "version": np.array(VERSION), "has_intercept": np.array(intercept),
        "has_names": np.array(names is not None), "names": np.array(names or [], dtype=np.str_),
        "named": np.array(named), "n_weighted": np.array(n_weighted), "empty": np.array(fields is None),
    }
    arrays |= {name: np.asarray(value) for name, value in (fields or {}).items()}
    arrays["checksum"] = np.array(_checksum(arrays))
    path = Path(os.path.realpath(path))
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
    try:
        with os.fdopen(handle, "wb") as file:
            np.savez(file, **arrays)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        with suppress(OSError):
            os.unlink(temporary)
        raise


def load(path):
    """What `save` was given, or ValueError for a file that is not whole or not ours."""
    os.stat(path)  # a file that is not there, or not ours to read, says so itself
    try:
        arrays = _read(path)
        if str(arrays["format"]) != FORMAT:
            raise ValueError(f"it holds {str(arrays['format'])!r}")
        version = int(arrays["version"])
        if version != VERSION:
            raise ValueError(f"it has version {version}, this fastlsq reads version {VERSION}")
        if str(arrays.pop("checksum")) != _checksum(arrays):
            raise ValueError("its checksum does not fit its content")
        fields = None if arrays["empty"] else _fields(arrays)
        names = [str(name) for name in arrays["names"]] if arrays["has_names"] else None
        return bool(arrays["has_intercept"]), names, bool(arrays["named"]), fields, int(arrays["n_weighted"])
    except PermissionError:
        raise
    except (zipfile.BadZipFile, zlib.error, ValueError, KeyError, EOFError, MemoryError, TypeError, OverflowError,
            NotImplementedError, SyntaxError, RuntimeError, OSError) as error:
        raise ValueError(f"{os.fspath(path)!r} is no whole Gram state: {error}") from None


def _read(path):
    """All arrays of the file; none may claim to be larger than the file is."""
    size = os.path.getsize(path)
    with zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            if member.compress_type != zipfile.ZIP_STORED or member.file_size > size:
                raise ValueError(f"{member.filename} is compressed")
    with np.load(path, allow_pickle=False) as file:
        return {name: file[name] for name in file.files}


def _fields(arrays):
    fields = {name: kind(arrays[name]) for name, kind in _SCALARS.items()}
    for name, dimensions in _ARRAYS.items():
        array = arrays[name]
        if array.ndim != dimensions or array.dtype != (np.int64 if name == "exponents" else np.float64):
            raise ValueError(f"{name} has shape {array.shape} and dtype {array.dtype}")
        fields[name] = array
    p, k = fields["c"].shape
    lengths = {"exponents": fields["lead"] + k, "shift": fields["lead"] + k, "mean": p + k,
               "triangle": p * (p + 1) // 2, "yy": k, "raw_diagonal": p, "raw_yy": k}
    fit = fields["lead"] == p + fields["intercept"]
    if not fit or any(fields[name].size != size for name, size in lengths.items()):
        raise ValueError("its arrays do not fit each other")
    finite = all(np.isfinite(fields[name]).all() for name in _ARRAYS)
    if not finite or np.abs(fields["exponents"]).max(initial=0) > 2200:
        raise ValueError("its numbers are not finite")
    if fields["n_rows"] < 0 or not 0 <= fields["sum_weights"] < np.inf:
        raise ValueError(f"it has {fields['n_rows']} rows of weight {fields['sum_weights']}")
    if arrays["names"].shape != (p,):
        raise ValueError(f"it has {arrays['names'].size} names of {p} columns")
    return fields


def _checksum(arrays):
    digest = hashlib.sha256()
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        digest.update(f"{name} {array.dtype.str} {array.shape}\n".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()


def as_html(gram):
    """A table of what the state holds."""
    facts = [("intercept", gram.intercept), ("rows", gram.n_rows)]
    if gram.n_columns is not None:
        names = ", ".join(gram.names[:8]) + (", ..." if gram.n_columns > 8 else "")
        facts += [("sum of weights", f"{gram.sum_weights:.6g}"), ("columns", f"{gram.n_columns}: {names}"),
                  ("targets", gram.n_targets), ("condition", f"{gram.condition():.2g}")]
    rows = "".join(f"<tr><th>{html.escape(str(a))}</th><td>{html.escape(str(b))}</td></tr>" for a, b in facts)
    return f"<table><caption>Gram</caption>{rows}</table>"
