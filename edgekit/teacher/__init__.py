"""Any teacher: an ONNX file, or a module that a function of the user's makes, checked against the data."""

from edgekit.teacher.foreign import ForeignTeacher, load_teacher
from edgekit.teacher.judging import check_teacher

__all__ = ["ForeignTeacher", "check_teacher", "load_teacher"]
