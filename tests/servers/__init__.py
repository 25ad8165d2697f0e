"""Runs the rendered service beside real authorization servers of other projects."""

import pytest

pytest.register_assert_rewrite(f"{__name__}.assertions")
