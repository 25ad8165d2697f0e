"""Calls to the identity provider: bounded in time, size and number, and what a status means."""

from tests.mutations.mutation import Mutation

FILE = "app/http.py"
WIRE_FILE = "app/wire.py"
TESTS = "tests/test_http.py::"
OUTAGE = "tests/test_verifier.py::test_an_answer_that_breaks_the_protocol_is_an_outage"
WIRE = "tests/test_verifier.py::test_a_failing_wire_is_an_outage"
RATE_LIMIT = "tests/test_verifier.py::test_the_providers_rate_limit_is_passed_on"
CROWDED = TESTS + "test_a_call_that_finds_no_place_waits_a_moment_and_no_more"
CAUGHT = "except (httpx.ConnectError, httpx.ConnectTimeout):"

MUTATIONS = [
    Mutation(
        rule="I6-one-limit-for-the-whole-call",
        file=WIRE_FILE,
        old="asyncio.timeout(self._time_limit)",
        new="asyncio.timeout(self._time_limit * 5)",
        test=TESTS + "test_a_black_hole_costs_the_time_limit_and_no_more",
    ),
    Mutation(
        rule="I6-the-limit-includes-the-retry",
        file=WIRE_FILE,
        old="async with asyncio.timeout(self._time_limit):",
        new="async with asyncio.timeout(self._time_limit) as limit:\n"
        "                asyncio.get_running_loop().call_later(\n"
        "                    self._time_limit * 0.8,\n"
        "                    lambda: limit.reschedule(limit.when() + self._time_limit * 3),\n"
        "                )",
        test=TESTS + "test_the_time_limit_includes_the_retry",
    ),
    Mutation(
        rule="I6-too-late-is-an-outage",
        file=WIRE_FILE,
        old='raise NoAnswer("timeout") from None',
        new="raise",
        test=TESTS + "test_a_trickle_costs_the_time_limit_and_no_more",
    ),
    Mutation(
        rule="I6-any-failure-of-the-wire-is-an-outage",
        file=WIRE_FILE,
        old="except Exception as error:",
        new="except httpx.HTTPError as error:",
        test=f"{WIRE}[I6-not-of-httpx]",
    ),
    Mutation(
        rule="I6-a-failed-connection-is-tried-once-more",
        file=WIRE_FILE,
        old=CAUGHT,
        new="except ZeroDivisionError:",
        test=TESTS + "test_a_failed_connection_is_tried_once_more",
    ),
    Mutation(
        rule="I6-a-slow-connection-is-tried-once-more",
        file=WIRE_FILE,
        old=CAUGHT,
        new="except httpx.ConnectError:",
        test=TESTS + "test_a_failed_connection_is_tried_once_more[ConnectTimeout]",
    ),
    Mutation(
        rule="I6-a-refused-connection-is-tried-once-more",
        file=WIRE_FILE,
        old=CAUGHT,
        new="except httpx.ConnectTimeout:",
        test=TESTS + "test_a_failed_connection_is_tried_once_more[ConnectError]",
    ),
    Mutation(
        rule="I6-once-more-and-not-twice",
        file=WIRE_FILE,
        old="idle connection.\n            return await self._send_once(request)",
        new="idle connection.\n            return await self._send_twice(request)",
        test=TESTS + "test_a_connection_that_always_closes_is_given_up",
    ),
    Mutation(
        rule="I6-nothing-else-is-tried-again",
        file=WIRE_FILE,
        old=CAUGHT,
        new="except httpx.HTTPError:",
        test=TESTS + "test_a_question_that_arrived_is_not_asked_again",
    ),
    Mutation(
        rule="I7-an-error-is-not-tried-again",
        file=WIRE_FILE,
        old="        try:\n            return await self._send_once(request)\n",
        new="        try:\n            answer = await self._send_once(request)\n"
        "            return answer if answer.status < 500 else await self._send_once(request)\n",
        test=TESTS + "test_an_error_status_is_an_answer_and_not_tried_again[503]",
    ),
    Mutation(
        rule="I7-a-redirect-is-not-followed",
        file=WIRE_FILE,
        old="await self._transport.handle_async_request(request)",
        new="await httpx.AsyncClient(transport=self._transport, follow_redirects=True).send(\n"
        "            request, stream=True\n        )",
        test=TESTS + "test_a_redirect_is_not_followed",
    ),
    Mutation(
        rule="I7-an-answer-is-bounded",
        file=WIRE_FILE,
        old="if len(body) > MAX_ANSWER_BYTES:",
        new="if False:",
        test=TESTS + "test_a_long_answer_is_cut",
    ),
    Mutation(
        rule="I7-the-longest-answer",
        file=WIRE_FILE,
        old="if len(body) > MAX_ANSWER_BYTES:",
        new="if len(body) >= MAX_ANSWER_BYTES:",
        test=TESTS + "test_the_longest_answer_is_read",
    ),
    Mutation(
        rule="I7-no-compressed-answer-is-asked-for",
        file=WIRE_FILE,
        old='                "Accept-Encoding": "identity",\n',
        new="",
        test="tests/test_verifier.py::test_the_question_is_a_plain_form",
    ),
    Mutation(
        rule="I7-no-compressed-answer-is-taken",
        file=WIRE_FILE,
        old='if "content-encoding" in response.headers:',
        new="if False:",
        test=TESTS + "test_a_compressed_answer_is_refused",
    ),
    Mutation(
        rule="calls-in-flight-are-bounded",
        file=WIRE_FILE,
        old="asyncio.Semaphore(MAX_CALLS)",
        new="asyncio.Semaphore(2 * MAX_CALLS)",
        test=CROWDED,
    ),
    Mutation(
        rule="the-wait-for-a-place-is-bounded",
        file=WIRE_FILE,
        old="asyncio.timeout(MAX_WAIT)",
        new="asyncio.timeout(None)",
        test=CROWDED,
    ),
    Mutation(
        rule="a-place-is-given-back",
        file=WIRE_FILE,
        old="                finally:\n                    self._places.release()\n",
        new="                except NoAnswer:\n"
        "                    self._places.release()\n                    raise\n",
        test=TESTS + "test_the_place_of_a_cancelled_call_can_be_taken",
    ),
    Mutation(
        rule="cookies-are-not-kept",
        file=WIRE_FILE,
        old="aiohttp.DummyCookieJar()",
        new="aiohttp.CookieJar(unsafe=True)",
        test=TESTS + "test_cookies_are_not_kept",
    ),
    Mutation(
        rule="the-proxy-environment-is-ignored",
        file=WIRE_FILE,
        old="trust_env=False",
        new="trust_env=True",
        test=TESTS + "test_the_proxy_environment_is_ignored",
    ),
    Mutation(
        rule="I6-no-answer-is-an-outage",
        file=FILE,
        old="raise ProviderUnavailable(failure.reason) from None",
        new="raise",
        test=TESTS + "test_nobody_listens",
    ),
    Mutation(
        rule="I7-only-200-is-an-answer",
        file=FILE,
        old="if answer.status == 200:",
        new="if 200 <= answer.status < 300:",
        test=f"{OUTAGE}[I7-created]",
    ),
    Mutation(
        rule="I7-another-status-is-an-outage",
        file=FILE,
        old='raise ProviderUnavailable(f"status_{answer.status}")',
        new="return",
        test=f"{OUTAGE}[I7-500]",
    ),
    Mutation(
        rule="I8-refused-credentials-are-loud",
        file=FILE,
        old="logger.error(",
        new="logger.warning(",
        test="tests/test_logs.py::test_refused_credentials_are_loud[401]",
    ),
    Mutation(
        rule="I8-forbidden-is-as-loud",
        file=FILE,
        old="in (401, 403):",
        new="in (401,):",
        test="tests/test_logs.py::test_refused_credentials_are_loud[403]",
    ),
    Mutation(
        rule="I8-refused-credentials-are-an-outage",
        file=FILE,
        old='raise ProviderUnavailable("own_credentials", lacks="credentials that it accepts")',
        new="return",
        test=TESTS + "test_every_status_but_200_is_an_outage_with_a_reason[401-own_credentials]",
    ),
    Mutation(
        rule="I8-readiness-names-what-to-mend",
        file=FILE,
        old=', lacks="credentials that it accepts"',
        new="",
        test="tests/test_verifier.py::test_refused_credentials_are_named_by_readiness",
    ),
    Mutation(
        rule="I9-the-wait-is-passed-on",
        file=FILE,
        old="if answer.status == 429:",
        new="if False:",
        test=f"{RATE_LIMIT}[I9-seconds]",
    ),
    Mutation(
        rule="I9-at-least-a-second",
        file=WIRE_FILE,
        old="max(1, ",
        new="max(0, ",
        test=f"{RATE_LIMIT}[zero-is-at-least-one]",
    ),
    Mutation(
        rule="I9-at-most-an-hour",
        file=WIRE_FILE,
        old="min(3600, int(seconds))",
        new="int(seconds)",
        test=f"{RATE_LIMIT}[a-day-is-at-most-an-hour]",
    ),
    Mutation(
        rule="I9-no-number-is-too-long",
        file=WIRE_FILE,
        old="float(value[:10])",
        new="float(value)",
        test=f"{RATE_LIMIT}[absurd]",
    ),
    Mutation(
        rule="I9-digits-are-ascii",
        file=WIRE_FILE,
        old="value.isascii() and value.isdigit()",
        new="value.isdigit()",
        test=f"{RATE_LIMIT}[a-digit-of-another-script]",
    ),
    Mutation(
        rule="I9-a-date-counts-from-now",
        file=WIRE_FILE,
        old=".timestamp() - now",
        new=".timestamp()",
        test=f"{RATE_LIMIT}[a-date]",
    ),
    Mutation(
        rule="I9-nonsense-is-no-wait",
        file=WIRE_FILE,
        old="except (ValueError, OverflowError):",
        new="except OverflowError:",
        test=f"{RATE_LIMIT}[nonsense]",
    ),
    Mutation(
        rule="I9-a-date-that-no-clock-shows-is-nonsense",
        file=WIRE_FILE,
        old="except (ValueError, OverflowError):",
        new="except ValueError:",
        test=f"{RATE_LIMIT}[a-date-that-no-clock-shows]",
    ),
    Mutation(
        rule="I9-no-wait-is-a-short-one",
        file=WIRE_FILE,
        old="    if value is None:\n        return 5",
        new="    if value is None:\n        return 3600",
        test=f"{RATE_LIMIT}[nothing]",
    ),
]
