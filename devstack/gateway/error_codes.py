"""MongoDB's error numbers and names, and which of them DocumentDB or PostgreSQL mean by an SQLSTATE.

DocumentDB raises its errors under SQLSTATEs of its own (class M0), and inside write results as that
SQLSTATE packed into an integer the way PostgreSQL does it: five characters of six bits, lowest first.
"""

from __future__ import annotations

from typing import Final

INTERNAL_ERROR: Final = 1
BAD_VALUE: Final = 2
FAILED_TO_PARSE: Final = 9
UNAUTHORIZED: Final = 13
TYPE_MISMATCH: Final = 14
ILLEGAL_OPERATION: Final = 20
LOCK_TIMEOUT: Final = 24
NAMESPACE_NOT_FOUND: Final = 26
CURSOR_NOT_FOUND: Final = 43
NAMESPACE_EXISTS: Final = 48
MAX_TIME_MS_EXPIRED: Final = 50
COMMAND_NOT_FOUND: Final = 59
INVALID_OPTIONS: Final = 72
INVALID_NAMESPACE: Final = 73
WRITE_CONFLICT: Final = 112
CONFLICTING_OPERATION_IN_PROGRESS: Final = 117
CURSOR_IN_USE: Final = 143
TRANSACTION_TOO_OLD: Final = 225
NO_SUCH_TRANSACTION: Final = 251
TRANSACTION_COMMITTED: Final = 256
OPERATION_NOT_SUPPORTED_IN_TRANSACTION: Final = 263
DUPLICATE_KEY: Final = 11000

NAMES: Final = {
    1: "InternalError",
    2: "BadValue",
    5: "GraphContainsCycle",
    6: "HostUnreachable",
    8: "UnknownError",
    9: "FailedToParse",
    11: "UserNotFound",
    13: "Unauthorized",
    14: "TypeMismatch",
    15: "Overflow",
    16: "InvalidLength",
    18: "AuthenticationFailed",
    20: "IllegalOperation",
    23: "AlreadyInitialized",
    24: "LockTimeout",
    26: "NamespaceNotFound",
    27: "IndexNotFound",
    28: "PathNotViable",
    31: "RoleNotFound",
    34: "CannotBackfillArray",
    40: "ConflictingUpdateOperators",
    43: "CursorNotFound",
    48: "NamespaceExists",
    50: "MaxTimeMSExpired",
    52: "DollarPrefixedFieldName",
    53: "InvalidIdField",
    54: "NotSingleValueField",
    55: "InvalidDBRef",
    56: "EmptyFieldName",
    57: "DottedFieldName",
    59: "CommandNotFound",
    61: "ShardKeyNotFound",
    66: "ImmutableField",
    67: "CannotCreateIndex",
    68: "IndexAlreadyExists",
    72: "InvalidOptions",
    73: "InvalidNamespace",
    85: "IndexOptionsConflict",
    86: "IndexKeySpecsConflict",
    91: "ShutdownInProgress",
    111: "NotExactValueField",
    112: "WriteConflict",
    115: "CommandNotSupported",
    117: "ConflictingOperationInProgress",
    118: "NamespaceNotSharded",
    121: "DocumentValidationFailure",
    133: "FailedToSatisfyReadPreference",
    143: "CursorInUse",
    146: "ExceededMemoryLimit",
    159: "DurationOverflow",
    165: "ViewDepthLimitExceeded",
    166: "CommandNotSupportedOnView",
    167: "OptionNotSupportedOnView",
    171: "CannotIndexParallelArrays",
    181: "AmbiguousIndexKeyPattern",
    186: "ClientMetadataCannotBeMutated",
    197: "InvalidIndexSpecificationOption",
    201: "CannotBuildIndexKeys",
    224: "QueryFeatureNotAllowed",
    225: "TransactionTooOld",
    232: "MaxSubPipelineDepthExceeded",
    241: "ConversionFailure",
    251: "NoSuchTransaction",
    256: "TransactionCommitted",
    261: "TooManyLogicalSessions",
    263: "OperationNotSupportedInTransaction",
    276: "IndexBuildAborted",
    291: "NoQueryExecutionPlans",
    361: "CollectionUUIDMismatch",
    391: "ReauthenticationRequired",
    10107: "NotWritablePrimary",
    10334: "BSONObjectTooLarge",
    11000: "DuplicateKey",
    11600: "InterruptedAtShutdown",
    11601: "Interrupted",
    12587: "BackgroundOperationInProgressForNamespace",
    13113: "MergeStageNoMatchingDocument",
    13297: "DatabaseDifferCase",
    14031: "OutOfDiskSpace",
}

_SQLSTATES: Final = {
    # PostgreSQL's own (appendix A of its manual)
    "08006": 6,
    "22P02": 2,
    "23505": 11000,
    "23P01": 11000,
    "25P02": 251,
    "3D000": 26,
    "40001": 112,
    "40P01": 112,
    "42501": 13,
    "53100": 14031,
    "53200": 146,
    "55P03": 24,
    "57014": 50,
    "57P01": 91,
    "57P02": 91,
    "57P03": 91,
    # DocumentDB's: its public list of errors gives name, SQLSTATE and MongoDB's number
    "M0000": 1,
    "M0001": 2,
    "M0002": 5,
    "M0003": 9,
    "M0004": 14,
    "M0005": 15,
    "M0006": 20,
    "M0007": 23,
    "M0008": 26,
    "M0009": 27,
    "M000A": 28,
    "M000B": 31,
    "M000C": 34,
    "M000D": 40,
    "M000E": 43,
    "M000F": 48,
    "M000G": 52,
    "M000H": 53,
    "M000I": 54,
    "M000J": 56,
    "M000K": 57,
    "M000L": 61,
    "M000M": 66,
    "M000N": 67,
    "M000O": 68,
    "M000P": 72,
    "M000Q": 73,
    "M000R": 85,
    "M000S": 86,
    "M000T": 111,
    "M000U": 115,
    "M000V": 118,
    "M000W": 146,
    "M000X": 159,
    "M000Y": 165,
    "M000Z": 166,
    "M0010": 167,
    "M0011": 181,
    "M0012": 197,
    "M0013": 224,
    "M0014": 232,
    "M0015": 241,
    "M0016": 263,
    "M0017": 276,
    "M0018": 291,
    "M0019": 361,
    "M001A": 10065,
    "M001B": 10334,
    "M001C": 11000,
    "M001D": 12587,
    "M001H": 13113,
    "M001I": 13297,
    "M0023": 16554,
    "M0024": 16610,
    "M0025": 16611,
    "M0026": 16612,
    "M0034": 17124,
    "M003A": 17419,
    "M003B": 17420,
    "M006D": 40066,
    "M006M": 40081,
    "M007U": 40324,
    "M0086": 40400,
    "M0088": 40415,
    "M00CO": 121,
    "M00DO": 16,
    "M00E8": 10107,
    "M00EL": 143,
    "M00ER": 13,
    "M00EW": 24,
    "M00EX": 50,
    "M00EY": 59,
    "M00F0": 91,
    "M00F1": 112,
    "M00F2": 117,
    "M00F5": 225,
    "M00F6": 251,
    "M00F7": 256,
    "M00FB": 50768,
}

UNKNOWN_ERROR: Final = 8

TRANSIENT: Final = frozenset({6, 7, 24, 89, 91, 112, 117, 189, 246, 251, 10107, 11600, 11602})
"""Codes that a whole transaction may be retried on: they carry the label TransientTransactionError."""


def from_sqlstate(sqlstate: str) -> int:
    """MongoDB's number for an SQLSTATE; 8 (UnknownError) where it has none."""
    return _SQLSTATES.get(sqlstate, UNKNOWN_ERROR)


def unpack_sqlstate(number: int) -> str:
    """The SQLSTATE that PostgreSQL packs into `number`."""
    return "".join(chr(((number >> shift) & 0x3F) + ord("0")) for shift in range(0, 30, 6))


def from_write_error(number: int) -> int:
    """MongoDB's number for the `code` of a write error in a DocumentDB reply."""
    if number < 100_000:
        return number
    return from_sqlstate(unpack_sqlstate(number))


def name(code: int) -> str:
    return NAMES.get(code, f"Location{code}")
