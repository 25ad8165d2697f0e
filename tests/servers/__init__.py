"""The rendered service beside servers that others wrote, all of them real processes."""

import pytest

pytest.register_assert_rewrite(f"{__name__}.assertions")
