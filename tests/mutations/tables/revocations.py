"""Which tokens an event ends, in every process, and for how long."""

from tests.mutations.mutation import Mutation

MARKS = "app/auth/revocations.py"
REDIS = "app/auth/redis_marks.py"
HANDLERS = "app/handlers.py"
WIRING = "app/wiring.py"
TESTS = "tests/test_revocations.py::test_"
IN_REDIS = "tests/webhooks/test_redis_marks.py::test_"
PUSHED = "tests/webhooks/test_pushed.py::test_"
WITH_BOTH = {"include_caching": True, "include_webhooks": True}


def row(rule: str, file: str, old: str, new: str, test: str) -> Mutation:
    """Return an edit of a project with both."""
    return Mutation(rule, file, old, new, test, WITH_BOTH)


def redis(rule: str, file: str, old: str, new: str, test: str) -> Mutation:
    """Return an edit that takes a Redis server to miss."""
    return Mutation(rule, file, old, new, IN_REDIS + test, WITH_BOTH, needs="redis-server")


MUTATIONS = [
    row(
        "a-mark-ends-the-tokens-of-its-second",
        MARKS,
        "claims.issued_at <= marked_at",
        "claims.issued_at < marked_at",
        TESTS + "a_mark_ends_what_was_issued_before",
    ),
    row(
        "a-mark-ends-what-was-issued-nobody-knows-when",
        MARKS,
        "claims.issued_at is None or claims.issued_at <= marked_at",
        "claims.issued_at is not None and claims.issued_at <= marked_at",
        TESTS + "a_mark_ends_what_was_issued_before",
    ),
    row(
        "a-mark-refuses",
        MARKS,
        '        raise InvalidToken("revoked")\n',
        "        return\n",
        TESTS + "a_mark_ends_what_was_issued_before",
    ),
    row(
        "a-client-can-be-marked",
        MARKS,
        '        yield name_of("client", claims.client_id)\n',
        "        pass\n",
        TESTS + "a_mark_is_about_one_of_them",
    ),
    row(
        "a-token-can-be-marked",
        MARKS,
        '    yield name_of("token", identity)\n',
        "",
        TESTS + "a_mark_is_about_one_of_them",
    ),
    row(
        "a-token-is-told-by-what-is-signed",
        MARKS,
        '        return token.rpartition(".")[0]\n',
        "        return token\n",
        TESTS + "another_signature_makes_no_other_token",
    ),
    row(
        "only-a-jwt-is-told-without-its-end",
        MARKS,
        'token.startswith(("ey", "ew")) and ',
        "",
        TESTS + "another_signature_makes_no_other_token",
    ),
    row(
        "a-jwt-has-three-parts",
        MARKS,
        ' and token.count(".") == 2',
        "",
        TESTS + "another_signature_makes_no_other_token",
    ),
    row(
        "a-mark-is-of-one-kind",
        MARKS,
        'f"{kind}\\0{value}"',
        "value",
        TESTS + "a_subject_is_no_client_of_that_name",
    ),
    row(
        "a-machine-can-be-marked-as-a-subject",
        MARKS,
        'yield name_of("subject", claims.owner)',
        'yield name_of("subject", str(claims.subject))',
        TESTS + "a_machine_is_its_own_subject",
    ),
    row(
        "what-protects-comes-first",
        "app/handlers.py",
        "        await session_revoked(event, subject, at)\n"
        "        await user_changed(event, subject, at)\n",
        "        await user_changed(event, subject, at)\n"
        "        await session_revoked(event, subject, at)\n",
        "tests/webhooks/test_pushed.py::test_a_revocation_waits_for_nothing_else_that_is_done",
    ),
    row(
        "a-mark-is-enough",
        MARKS,
        "with suppress(StoreUnavailable):",
        "if True:",
        TESTS + "a_mark_counts_although_answers_cannot_be_forgotten",
    ),
    row(
        "marks-are-read-to-the-last-page",
        "app/auth/redis_marks.py",
        "if len(page) < PAGE:",
        "if True:",
        "tests/webhooks/test_redis_marks.py::test_many_marks_are_put_and_read_in_parts",
    ),
    row(
        "a-mark-that-ends-hides-no-other",
        "app/auth/redis_marks.py",
        """zrevrangebyscore(
            self._name, math.inf, since,""",
        """zrangebyscore(
            self._name, since, math.inf,""",
        "tests/webhooks/test_redis_marks.py::"
        "test_a_mark_that_ends_between_two_parts_hides_no_other",
    ),
    row(
        "marks-are-put-to-the-last-page",
        "app/auth/redis_marks.py",
        "range(0, len(members), PAGE)",
        "range(0, PAGE, PAGE)",
        "tests/webhooks/test_redis_marks.py::test_many_marks_are_put_and_read_in_parts",
    ),
    row(
        "an-older-mark-undoes-nothing",
        MARKS,
        "if at > self._marks.get(name, -math.inf):",
        "if at != self._marks.get(name, -math.inf):",
        TESTS + "an_older_mark_does_not_undo_a_newer_one",
    ),
    row(
        "a-mark-that-is-read-again-lives-no-longer",
        MARKS,
        "if at > self._marks.get(name, -math.inf):",
        "if at >= self._marks.get(name, -math.inf):",
        TESTS + "a_mark_that_is_read_again_lives_no_longer",
    ),
    row(
        "a-mark-is-kept-for-its-time",
        MARKS,
        "lambda _, __, now: now + ttl",
        "lambda _, __, now: now + ttl / 2",
        TESTS + "a_mark_is_kept_for_its_time",
    ),
    row(
        "a-mark-ends-remembered-answers-of-a-subject",
        MARKS,
        "            await self._cache.forget_subject(subject)\n",
        "            pass\n",
        TESTS + "a_remembered_answer_dies_at_once",
    ),
    row(
        "a-mark-ends-remembered-answers-of-a-client",
        MARKS,
        "        await self._cache.forget_all()\n",
        "",
        TESTS + "a_remembered_answer_dies_at_once",
    ),
    row(
        "a-mark-ends-the-remembered-answer-of-a-token",
        MARKS,
        "        await self._cache.forget(self._cache.key_of(token))\n",
        "",
        TESTS + "a_remembered_answer_dies_at_once",
    ),
    row(
        "I15-marks-are-asked-after-the-answer",
        MARKS,
        "        await self._revocations.check(claims, token)\n",
        "",
        TESTS + "an_answer_on_its_way_comes_too_late",
    ),
    row(
        "others-are-told",
        MARKS,
        "            await self._shared.put(marks)\n",
        "            pass\n",
        TESTS + "what_one_process_is_told_the_others_know",
    ),
    row(
        "it-counts-here-before-others-are-told",
        MARKS,
        "        self._note(marks)\n        if self._shared is not None:\n"
        "            await self._shared.put(marks)\n",
        "        if self._shared is not None:\n            await self._shared.put(marks)\n"
        "        self._note(marks)\n",
        TESTS + "a_mark_counts_here_while_the_others_cannot_be_told",
    ),
    row(
        "others-are-asked-at-each-request",
        MARKS,
        "        await self.catch_up()\n        if self._marks:",
        "        if self._marks:",
        TESTS + "what_one_process_is_told_the_others_know",
    ),
    row(
        "others-are-looked-for-without-requests",
        MARKS,
        "            await self._shared.look()\n            await self.catch_up()\n",
        "            await self._shared.look()\n",
        TESTS + "a_process_without_requests_learns_it_too",
    ),
    row(
        "what-could-not-be-read-is-read-later",
        MARKS,
        "                self._note(await self._shared.news())\n"
        "                self._epoch = epoch\n",
        "                self._epoch = epoch\n"
        "                self._note(await self._shared.news())\n",
        TESTS + "marks_that_cannot_be_read_are_read_later",
    ),
    row(
        "a-store-that-lost-its-memory-gets-it-back",
        MARKS,
        "                    await self._shared.put(dict(self._marks))\n",
        "                    pass\n",
        TESTS + "a_store_that_lost_its_memory_gets_it_back",
    ),
    row(
        "what-was-restored-counts",
        MARKS,
        '        self._note({name_of("subject", subject): at})\n',
        "        pass\n",
        TESTS + "what_was_restored_counts",
    ),
    row(
        "a-mark-has-a-time",
        MARKS,
        "        ge=1,\n",
        "",
        TESTS + "a_wrong_time_is_refused_in_words",
    ),
    row(
        "a-deleted-user-is-revoked",
        HANDLERS,
        '        "user.deleted": user_gone,\n',
        '        "user.deleted": user_changed,\n',
        PUSHED + "the_next_request_is_refused[user.deleted]",
    ),
    row(
        "a-disabled-user-is-revoked",
        HANDLERS,
        '        "user.disabled": user_gone,\n',
        '        "user.disabled": user_changed,\n',
        PUSHED + "the_next_request_is_refused[user.disabled]",
    ),
    row(
        "a-revoked-session-revokes",
        HANDLERS,
        '        "session.revoked": session_revoked,\n',
        '        "session.revoked": user_changed,\n',
        PUSHED + "the_next_request_is_refused[session.revoked]",
    ),
    redis(
        "what-others-were-not-told-is-not-done",
        HANDLERS,
        "            raise TryAgain from None\n",
        "            pass\n",
        "an_event_while_redis_is_gone_counts_here_and_is_not_done",
    ),
    row(
        "a-restart-forgets-no-revocation",
        WIRING,
        "        await restore(inbox.lasting(settings.revocations.ttl), revocations, clock())\n",
        "",
        PUSHED + "a_revocation_outlives_the_service",
    ),
    row(
        "processes-apart-are-warned-about",
        WIRING,
        "    if shares_events and",
        "    if False and",
        PUSHED + "replicas_that_share_events_only_are_warned_about",
    ),
    row(
        "what-must-not-fail-is-tried-again",
        "app/processing.py",
        'reason, pause = "unfinished", self._patient_pause',
        'reason, pause = "unfinished", next(pauses, None)',
        "tests/webhooks/test_processing.py::test_what_must_not_fail_is_tried_until_it_does_not",
    ),
    redis(
        "a-mark-changes-the-epoch",
        REDIS,
        "redis.call('SET', KEYS[2], ARGV[2])\n",
        "",
        "an_event_of_another_process_counts_at_the_next_request",
    ),
    redis(
        "a-mark-is-one-of-ours",
        REDIS,
        "            if match is not None:\n",
        "            if member:\n",
        "what_is_no_mark_of_ours_is_none",
    ),
    redis(
        "the-newest-mark-counts",
        REDIS,
        "marks[name] = max(at, marks.get(name, at))",
        "marks[name] = min(at, marks.get(name, at))",
        "marks_are_read_as_they_were_put",
    ),
]
