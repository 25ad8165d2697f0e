"""What stands around the authentication: limits, error bodies, logs, readiness."""

from tests.mutations.mutation import Mutation

LIMITS = "app/body_limit.py"
SERVICE = "app/service.py"
LOGS = "app/logs.py"
READINESS = "app/readiness.py"
TOO_LARGE = "tests/test_limits.py::test_a_declared_body_over_the_limit_is_refused_unread"
BAD_BODY = "tests/test_limits.py::test_a_body_that_is_no_widget_is_the_callers_fault"
STREAMED = "tests/test_limits.py::test_a_streamed_body_is_refused_at_the_limit"
ALLOWED = "tests/test_limits.py::test_a_body_of_exactly_the_limit_is_taken"
ONE_LINE = "tests/test_logs.py::test_a_record_is_one_line"
NO_QUERY = "tests/test_logs.py::test_the_servers_log_shows_no_query"
HEALTH = "tests/test_health.py::"

MUTATIONS = [
    Mutation(
        rule="a-declared-body-is-refused-unread",
        file=LIMITS,
        old="if declared_length(scope) > self._max_bytes:",
        new="if False:",
        test="tests/test_limits.py::test_an_absurd_length_is_too_large",
    ),
    Mutation(
        rule="an-absurd-length-is-a-number",
        file=LIMITS,
        old="int(value[:20])",
        new="int(value)",
        test="tests/test_limits.py::test_an_absurd_length_is_too_large",
    ),
    Mutation(
        rule="a-declared-body-of-the-limit",
        file=LIMITS,
        old="declared_length(scope) > self._max_bytes",
        new="declared_length(scope) >= self._max_bytes",
        test=ALLOWED,
    ),
    Mutation(
        rule="a-streamed-body-is-counted",
        file=LIMITS,
        old="if received > self._max_bytes:",
        new="if False:",
        test=STREAMED,
    ),
    Mutation(
        rule="a-streamed-body-is-added-up",
        file=LIMITS,
        old="received += len(",
        new="received = len(",
        test="tests/test_limits.py::test_the_parts_of_a_body_are_added_up",
    ),
    Mutation(
        rule="a-streamed-body-of-the-limit",
        file=LIMITS,
        old="received > self._max_bytes",
        new="received >= self._max_bytes",
        test=ALLOWED,
    ),
    Mutation(
        rule="the-rest-is-not-the-next-request",
        file=LIMITS,
        old='_HEADERS = {"Connection": "close"}',
        new="_HEADERS: dict[str, str] = {}",
        test=TOO_LARGE,
    ),
    Mutation(
        rule="bodies-are-limited",
        file=SERVICE,
        old="    app.add_middleware(BodyLimit, max_bytes=settings.service.request_max_bytes)\n",
        new="",
        test=TOO_LARGE,
    ),
    Mutation(
        rule="a-wrong-body-is-not-repeated",
        file=SERVICE,
        old='("type", "loc", "msg")',
        new='("type", "loc", "msg", "input")',
        test=f"{BAD_BODY}[name-is-a-number]",
    ),
    Mutation(
        rule="a-wrong-body-can-be-answered",
        file=SERVICE,
        old="    app.add_exception_handler(RequestValidationError, refuse_body)\n",
        new="",
        test=f"{BAD_BODY}[half-a-surrogate-pair]",
    ),
    Mutation(
        rule="L1-the-access-log-shows-no-query",
        file=LOGS,
        old='"".join(value.partition("?")[:2]) if',
        new="value if",
        test=f"{NO_QUERY}[request]",
    ),
    Mutation(
        rule="L1-the-access-log-is-masked",
        file=LOGS,
        old="            server.addFilter(WithoutQuery())\n",
        new="            pass\n",
        test=f"{NO_QUERY}[request]",
    ),
    Mutation(
        rule="L1-handshakes-are-masked-too",
        file=LOGS,
        old=', "uvicorn.error"):',
        new=",):",
        test=f"{NO_QUERY}[handshake]",
    ),
    Mutation(
        rule="no-record-passes-for-two",
        file=LOGS,
        old=r'.replace("\n", "\\n")',
        new="",
        test=ONE_LINE,
    ),
    Mutation(
        rule="no-return-hides-a-record",
        file=LOGS,
        old=r'.replace("\r", "\\r")',
        new="",
        test=ONE_LINE,
    ),
    Mutation(
        rule="no-text-passes-for-an-escape",
        file=LOGS,
        old=r'.replace("\\", "\\\\")',
        new="",
        test="tests/test_logs.py::test_an_escape_in_a_record_is_told_from_a_line_break",
    ),
    Mutation(
        rule="readiness-asks-the-provider",
        file="app/services.py",
        old="readiness=Readiness(checks)",
        new="readiness=Readiness({})",
        test=HEALTH + "test_not_ready_while_the_provider_is_down",
    ),
    Mutation(
        rule="readiness-is-remembered",
        file=READINESS,
        old="self._until = self._clock() + MEMORY",
        new="self._until = self._clock()",
        test=HEALTH + "test_probing_does_not_load_the_provider",
    ),
    Mutation(
        rule="readiness-is-forgotten-again",
        file=READINESS,
        old="if self._clock() >= self._until:",
        new='if self._until == float("-inf"):',
        test=HEALTH + "test_an_outcome_is_remembered_for_a_moment",
    ),
    Mutation(
        rule="probes-share-one-check",
        file=READINESS,
        old="async with self._asking:",
        new="if True:",
        test=HEALTH + "test_probes_at_the_same_time_share_one_check",
    ),
    Mutation(
        rule="a-check-that-hangs-is-given-up",
        file=READINESS,
        old="asyncio.timeout(BOUND)",
        new="asyncio.timeout(None)",
        test=HEALTH + "test_a_check_that_hangs_costs_the_bound_and_no_more",
    ),
    Mutation(
        rule="a-check-that-hangs-fails",
        file=READINESS,
        old="        except TimeoutError:\n",
        new="        except ZeroDivisionError:\n",
        test=HEALTH + "test_a_check_that_hangs_is_given_up",
    ),
    Mutation(
        rule="I6-a-check-that-is-refused-fails",
        file=READINESS,
        old="            reason, lacks = error.reason, error.lacks\n",
        new="            return []\n",
        test=HEALTH + "test_not_ready_while_the_provider_is_down",
    ),
    Mutation(
        rule="L1-no-span-of-a-token-in-the-query",
        file="app/service.py",
        old='        "exclude": token_in_query,\n',
        new="",
        test="tests/test_logs.py::test_no_span_holds_a_token",
    ),
    Mutation(
        rule="nothing-is-traced-where-nobody-listens",
        file=SERVICE,
        old='any(provider.name != "default_tracer_provider" for provider in providers)',
        new="any(providers)",
        test="tests/test_logs.py::test_nothing_is_traced_where_nobody_listens",
    ),
]
