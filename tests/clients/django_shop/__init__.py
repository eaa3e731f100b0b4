"""A small Django application, as one finds them behind real shops; `test_django.py` runs it."""
