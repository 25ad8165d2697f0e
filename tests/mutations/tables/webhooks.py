"""Which deliveries are taken, what is read from them, and that no event is lost or done twice."""

from collections.abc import Mapping

from tests.combinations import Answer
from tests.mutations.mutation import Mutation

WEBHOOKS: Mapping[str, Answer] = {"include_webhooks": True}
OLYMPUS: Mapping[str, Answer] = {"include_webhooks": True, "validation_mode": "introspection"}
JWT: Mapping[str, Answer] = {"include_webhooks": True, "validation_mode": "jwt"}
SDK: Mapping[str, Answer] = {"include_webhooks": True, "validation_mode": "sdk"}

TESTS = "tests/webhooks/"
SIGNED = TESTS + "test_signature.py::"
SENT = TESTS + "test_deliveries.py::"
READ = TESTS + "test_events.py::"
DONE = TESTS + "test_processing.py::"
KEPT = TESTS + "test_inbox.py::"
TOLD = TESTS + "test_inbox_commands.py::"
LATER = TESTS + "test_inbox_sqlite.py::"
SET = TESTS + "test_webhook_settings.py::"
KEYS = TESTS + "test_api_keys.py::"
VENDOR = TESTS + "test_avnology_webhook.py::"

INVALID = SENT + "test_w9_signed_but_no_event"
MEDIA = SENT + "test_w8_compressed_or_not_json"


def row(
    rule: str, file: str, old: str, new: str, test: str, answers: Mapping[str, Answer] = WEBHOOKS
) -> Mutation:
    """Return a row about a project with webhooks."""
    return Mutation(rule=rule, file=file, old=old, new=new, test=test, answers=answers)


SIGNATURE = [
    row(
        "W1-each-header-comes-once",
        "app/signature.py",
        "if len(signatures) != 1 or len(timestamps) != 1:",
        "if not signatures or not timestamps:",
        SENT + "test_w1_each_header_comes_once",
    ),
    row(
        "W1-the-headers-are-there",
        "app/signature.py",
        "    if len(signatures) != 1 or len(timestamps) != 1:\n"
        '        raise InvalidSignature("headers")\n',
        "    if not signatures or not timestamps:\n        return 0\n",
        SENT + "test_w1_no_header_at_all",
    ),
    row(
        "W5-the-time-is-compared",
        "app/signature.py",
        "if not is_current(timestamps[0], now):",
        "if False:",
        SENT + "test_w5_too_old_and_too_new",
    ),
    row(
        "W2-the-signature-is-compared",
        "app/signature.py",
        "if not is_signed(body, signatures[0], secrets, timestamps[0]):",
        "if False:",
        SENT + "test_w2_a_signature_of_something_else",
    ),
    row(
        "W2-the-time-is-signed",
        "app/signature.py",
        'message = timestamp.encode() + b"." + body',
        "message = body",
        SIGNED + "test_the_documented_scheme",
    ),
    row(
        "W3-text-that-is-not-ascii-is-no-signature",
        "app/signature.py",
        "    if not _SIGNATURE.fullmatch(signature):\n        return False\n",
        "",
        SIGNED + "test_a_malformed_signature_is_none",
    ),
    row(
        "W4-a-time-has-its-form",
        "app/signature.py",
        'r"[0-9]{1,12}"',
        r'r"\s*[+]?[\d_]{1,12}\s*"',
        SIGNED + "test_a_malformed_time_is_not_current",
    ),
    row(
        "W5-in-both-directions",
        "app/signature.py",
        "abs(int(now) - int(timestamp))",
        "int(now) - int(timestamp)",
        SIGNED + "test_a_time_outside_of_it_is_not",
    ),
    row(
        "W5-exactly-at-the-tolerance",
        "app/signature.py",
        "<= tolerance",
        "< tolerance",
        SIGNED + "test_a_time_within_the_tolerance_is_current",
    ),
    row(
        "W10-every-secret-is-tried",
        "app/signature.py",
        "for key in secrets]",
        "for key in list(secrets)[:1]]",
        SENT + "test_w10_the_previous_secret_is_good_while_it_is_configured",
    ),
]

DELIVERIES = [
    row(
        "W7-a-declared-delivery-is-refused-unread",
        "app/webhooks.py",
        "if declared_length(request.scope) > max_bytes:",
        "if False:",
        SENT + "test_w7_a_declared_length_is_believed",
    ),
    row(
        "W7-a-streamed-delivery-is-counted",
        "app/webhooks.py",
        "if len(body) > max_bytes:",
        "if False:",
        SENT + "test_w7_too_large_as_it_comes",
    ),
    row(
        "W7-a-delivery-of-the-limit",
        "app/webhooks.py",
        "len(body) > max_bytes",
        "len(body) >= max_bytes",
        SENT + "test_w7_exactly_the_limit",
    ),
    row(
        "W7-the-rest-is-not-the-next-request",
        "app/webhook_errors.py",
        '{"Connection": "close"}',
        "{}",
        SENT + "test_w7_too_large_as_declared",
    ),
    row(
        "a-sender-that-goes-away-is-no-500",
        "app/webhooks.py",
        "except ClientDisconnect:",
        "except ZeroDivisionError:",
        SENT + "test_a_sender_that_goes_away_is_no_500",
    ),
    row(
        "W8-compressed",
        "app/webhooks.py",
        'if any(coding not in ("", "identity") for coding in encodings):',
        "if False:",
        MEDIA,
    ),
    row(
        "W8-not-json",
        "app/webhooks.py",
        'raise UnsupportedMediaType("content_type")',
        "pass",
        MEDIA,
    ),
    row(
        "W8-the-media-type-is-checked",
        "app/webhooks.py",
        "        check_media_type(request.headers)\n",
        "",
        MEDIA,
    ),
    row(
        "W8-a-suffix-of-json-alone-will-not-do",
        "app/webhooks.py",
        'kind.startswith("application/") and kind.endswith("+json")',
        'kind.endswith("+json")',
        MEDIA,
    ),
    row(
        "W9-an-unknown-type-is-taken",
        "app/webhooks.py",
        "if self._inbox.knows(event.type):",
        "if True:",
        SENT + "test_w9_an_unknown_type_is_counted_and_ignored",
    ),
    row(
        "W9-unknown-types-are-bounded",
        "app/webhooks.py",
        "len(self.ignored) < MAX_COUNTED_TYPES",
        "True",
        SENT + "test_w9_a_flood_of_unknown_types_is_counted_as_one",
    ),
    row(
        "no-route-without-a-token-by-accident",
        "app/routes/__init__.py",
        '("/health/", "/webhooks/")',
        '("/health/",)',
        "tests/test_openapi.py::test_every_operation_says_which_scopes_it_needs",
    ),
]

SENDERS = [
    row(
        "no-api-key-unless-configured",
        "app/deliveries.py",
        "if not self._api_keys or signatures or timestamps:",
        "if signatures or timestamps:",
        KEYS + "test_no_key_is_taken_unless_one_is_configured",
        OLYMPUS,
    ),
    row(
        "a-signature-decides-alone",
        "app/deliveries.py",
        "if not self._api_keys or signatures or timestamps:",
        "if not self._api_keys:",
        KEYS + "test_where_there_is_a_signature_only_it_decides",
        OLYMPUS,
    ),
    row(
        "an-api-key-is-compared",
        "app/deliveries.py",
        "if len(sent) != 1 or not any(matches):",
        "if len(sent) != 1:",
        KEYS + "test_a_wrong_key_is_refused",
        OLYMPUS,
    ),
    row(
        "an-api-key-comes-once",
        "app/deliveries.py",
        "if len(sent) != 1 or not any(matches):",
        "if not any(matches):",
        KEYS + "test_no_key_and_two_keys_are_refused",
        OLYMPUS,
    ),
    row(
        "an-api-key-that-is-not-ascii-is-no-500",
        "app/deliveries.py",
        "hmac.compare_digest(one.encode(), key.encode())",
        "hmac.compare_digest(one, key)",
        KEYS + "test_a_wrong_key_is_refused",
        OLYMPUS,
    ),
    row(
        "an-api-key-is-long",
        "app/deliveries.py",
        "len(key) < MIN_API_KEY_BYTES or ",
        "",
        KEYS + "test_a_key_is_long_and_plain",
        OLYMPUS,
    ),
    row(
        "an-api-key-fits-into-a-header",
        "app/deliveries.py",
        ' or not re.fullmatch("[!-~]+", key)',
        "",
        KEYS + "test_a_key_is_long_and_plain",
        OLYMPUS,
    ),
    row(
        "an-api-key-is-compared-in-jwt-mode-too",
        "app/deliveries.py",
        "if len(sent) != 1 or not any(matches):",
        "if False:",
        KEYS + "test_a_wrong_key_is_refused",
        JWT,
    ),
    row(
        "an-api-key-is-long-in-jwt-mode-too",
        "app/deliveries.py",
        "    if any(len(key) < MIN_API_KEY_BYTES",
        "    if False and any(len(key) < MIN_API_KEY_BYTES",
        KEYS + "test_a_key_is_long_and_plain",
        JWT,
    ),
    row(
        "the-vendors-helper-wants-the-time",
        "avnology_id/webhook.py",
        "    if timestamp is None:\n        return False\n",
        "    if timestamp is None:\n        timestamp = int(time.time())\n        return True\n",
        VENDOR + "test_without_the_time_there_is_no_good_one",
        SDK,
    ),
    row(
        "the-vendors-helper-compares-the-time",
        "avnology_id/webhook.py",
        "is_current(sent, time.time(), tolerance) and ",
        "",
        VENDOR + "test_the_time_is_compared_with_now",
        SDK,
    ),
]

EVENTS = [
    row(
        "W9-what-is-not-json",
        "app/events.py",
        "except (ValueError, RecursionError):",
        "except RecursionError:",
        f"{INVALID}[not-json]",
    ),
    row(
        "W9-deep-nesting",
        "app/events.py",
        "except (ValueError, RecursionError):",
        "except ValueError:",
        f"{INVALID}[nested]",
    ),
    row(
        "W9-an-event-is-an-object",
        "app/events.py",
        "    if not isinstance(document, dict):\n",
        "    if False:\n",
        f"{INVALID}[null]",
    ),
    row(
        "W9-an-event-has-an-id",
        "app/events.py",
        "if not is_name(name) or any(other != name for other in others):",
        "if any(other != name for other in others):",
        f"{INVALID}[no-id]",
    ),
    row(
        "W9-two-ids-are-one",
        "app/events.py",
        " or any(other != name for other in others):",
        ":",
        f"{INVALID}[two-ids-that-differ]",
    ),
    row(
        "W9-each-name-stands-once",
        "app/events.py",
        "if len(document) != len(pairs):",
        "if False:",
        f"{INVALID}[one-name-twice]",
    ),
    row(
        "W9-a-number-is-finite",
        "app/events.py",
        "            parse_float=finite,\n",
        "",
        f"{INVALID}[infinite]",
    ),
    row(
        "W9-not-a-number-is-no-json",
        "app/events.py",
        "    raise ValueError(name)\n",
        "    return name\n",
        f"{INVALID}[not-a-number]",
    ),
    row(
        "W9-an-id-is-short",
        "app/events.py",
        "        and len(value) <= MAX_NAME_LENGTH\n",
        "",
        f"{INVALID}[id-of-257-characters]",
    ),
    row(
        "W9-an-id-can-be-printed",
        "app/events.py",
        "        and value.isprintable()\n",
        "",
        f"{INVALID}[id-with-a-line-break]",
    ),
    row(
        "W9-an-id-is-not-blank",
        "app/events.py",
        "        and not value.isspace()\n",
        "",
        f"{INVALID}[id-is-blank]",
    ),
    row(
        "the-id-of-a-session-is-no-subject",
        "app/events.py",
        'if kind.startswith("user."):',
        "if True:",
        READ + "test_nobody_is_better_than_somebody_else[id-of-a-session]",
    ),
    row(
        "subjects-have-an-order",
        "app/events.py",
        '("user_id", "userId", "sub", "subject", "identity_id")',
        '("user_id", "userId", "subject", "identity_id")',
        READ + "test_whom_an_event_is_about[the-first-of-them-data]",
    ),
    row(
        "nothing-happens-in-the-future",
        "app/events.py",
        "return min(sent_at if event.happened_at is None else event.happened_at, now)",
        "return sent_at if event.happened_at is None else event.happened_at",
        READ + "test_nothing_happens_in_the_future",
    ),
    row(
        "a-time-has-a-zone",
        "app/events.py",
        "return moment.timestamp() if moment.tzinfo else None",
        "return moment.timestamp()",
        READ + "test_else_it_happened_when_it_was_sent",
    ),
    row(
        "an-older-event-undoes-nothing",
        "app/users.py",
        "if subject in self._events and at < self._events[subject][0]:",
        "if False:",
        READ + "test_an_older_event_does_not_undo_a_newer_one",
    ),
    row(
        "users-are-bounded",
        "app/users.py",
        "if len(self._events) > self._max_users:",
        "if False:",
        READ + "test_the_number_of_users_is_capped",
    ),
]

PROCESSING = [
    row(
        "an-event-without-a-subject-is-a-dead-letter",
        "app/processing.py",
        '                raise EventFailed("no_subject")\n',
        "                return\n",
        DONE + "test_without_a_subject_it_is_one_at_once",
    ),
    row(
        "an-event-that-ends-the-process-is-a-dead-letter",
        "app/processing.py",
        "if starts > MAX_STARTS:",
        "if False:",
        DONE + "test_an_event_that_ends_the_process_each_time_is_one_too",
    ),
    row(
        "W12-attempts-have-an-end",
        "app/processing.py",
        "                raise EventFailed(reason)\n",
        "                return\n",
        DONE + "test_in_the_end_it_is_a_dead_letter",
    ),
    row(
        "W12-a-failure-is-tried-again",
        "app/processing.py",
        "next(pauses, None)",
        "None",
        DONE + "test_a_failure_is_tried_again",
    ),
    row(
        "W12-attempts-have-pauses",
        "app/processing.py",
        "            await asyncio.sleep(pause)\n",
        "",
        DONE + "test_between_attempts_there_is_a_pause",
    ),
    row(
        "a-handler-that-hangs-is-given-up",
        "app/processing.py",
        "asyncio.timeout(self._timeout)",
        "asyncio.timeout(None)",
        DONE + "test_a_handler_that_hangs_is_given_up",
    ),
    row(
        "handlers-are-bounded",
        "app/processing.py",
        "async with self._rooms[kind], asyncio",
        "async with asyncio",
        DONE + "test_a_burst_of_events_does_not_take_all_of_the_service",
    ),
    row(
        "each-type-has-its-room",
        "app/processing.py",
        "self._rooms[kind]",
        'self._rooms[""]',
        DONE + "test_a_burst_of_one_type_does_not_hold_up_the_others",
    ),
    row(
        "what-ends-a-handler-from-outside-is-a-failure",
        "app/processing.py",
        "(Exception, asyncio.CancelledError)",
        "Exception",
        DONE + "test_what_a_handler_waits_for_may_be_cancelled",
    ),
    row(
        "the-end-of-the-service-is-no-failure",
        "app/processing.py",
        "and task is not None and task.cancelling():",
        "and task is None:",
        DONE + "test_the_end_of_the_service_is_no_failure",
    ),
    row(
        "a-repeat-says-so",
        "app/processing.py",
        "        if starts > 1:\n",
        "        if False:\n",
        DONE + "test_after_a_crash_the_record_says_so",
    ),
]

INBOX = [
    row(
        "W6-the-workflow-is-the-event",
        "app/inbox.py",
        "            SetWorkflowID(event.id),\n",
        "",
        KEPT + "test_an_id_is_one_event",
    ),
    row(
        "W11-a-locked-inbox-is-given-up",
        "app/inbox.py",
        '            raise InboxUnavailable("timeout") from None\n',
        "            return\n",
        KEPT + "test_w11_a_locked_inbox_is_no_silence",
    ),
    row(
        "W11-a-locked-inbox-is-given-up-soon",
        "app/inbox.py",
        "asyncio.timeout(PUT_TIMEOUT)",
        "asyncio.timeout(5)",
        KEPT + "test_w11_a_locked_inbox_is_not_waited_for",
    ),
    row(
        "W11-what-is-given-up-may-still-be-stored",
        "app/inbox.py",
        "                await asyncio.shield(storing)\n",
        "                await storing\n",
        KEPT + "test_w11_only_so_many_wait_for_a_locked_inbox",
    ),
    row(
        "W11-only-so-many-wait",
        "app/inbox.py",
        "if self._waiting >= MAX_WAITING:",
        "if False:",
        KEPT + "test_w11_only_so_many_wait_for_a_locked_inbox",
    ),
    row(
        "W11-an-inbox-that-fails-is-no-200",
        "app/inbox.py",
        "        except Exception as error:  # noqa: BLE001\n"
        "            raise InboxUnavailable(type(error).__name__) from None\n\n    async def check",
        "        except Exception:  # noqa: BLE001\n            return\n\n    async def check",
        KEPT + "test_w11_an_inbox_that_is_gone_is_no_500",
    ),
    row(
        "W11-an-inbox-that-fails-is-not-ready",
        "app/inbox.py",
        "        except Exception as error:  # noqa: BLE001 - whatever the database says, it is "
        "not well\n            raise InboxUnavailable(type(error).__name__) from None\n",
        "        except Exception:  # noqa: BLE001\n            return\n",
        KEPT + "test_w11_an_inbox_that_is_gone_is_no_500",
    ),
    row(
        "W11-an-inbox-that-takes-nothing-is-not-ready",
        "app/inbox.py",
        "        if self._late:\n",
        "        if False:\n",
        KEPT + "test_w11_an_inbox_that_can_only_be_read_is_not_ready",
    ),
    row(
        "readiness-covers-the-inbox",
        "app/wiring.py",
        ', "inbox": inbox.check})',
        "})",
        KEPT + "test_w11_an_inbox_that_is_gone_is_no_500",
    ),
    row(
        "W12-a-repeat-after-a-crash-is-known",
        "app/inbox.py",
        "1 if _put_here.get() else await _starts(str(DBOS.workflow_id))",
        "1",
        KEPT + "test_what_was_not_done_is_done_after_the_next_start",
    ),
    row(
        "W12-each-start-is-counted",
        "app/inbox.py",
        "asyncio.create_task(asking, context=Context())",
        "asking",
        KEPT + "test_an_event_that_is_never_done_is_dead_in_the_end",
    ),
    row(
        "a-handler-is-no-part-of-the-workflow",
        "app/inbox.py",
        "Context().run(asyncio.run_coroutine_threadsafe, work, self._service)",
        "asyncio.run_coroutine_threadsafe(work, self._service)",
        KEPT + "test_what_a_handler_does_is_its_own",
    ),
    row(
        "W12-what-is-not-done-stays-so",
        "app/inbox.py",
        '            "application_version": VERSION,\n',
        '            "application_version": str(id(self)),\n',
        KEPT + "test_what_was_not_done_is_done_after_the_next_start",
    ),
    row(
        "an-orderly-end-repeats-nothing",
        "app/inbox.py",
        "        await self._thread.settle(GRACE)\n",
        "        await self._thread.settle(0)\n",
        KEPT + "test_events_get_to_their_end_when_the_service_ends",
    ),
    row(
        "only-json-is-stored",
        "app/inbox.py",
        '            "serializer": DBOSPortableJSONSerializer(),\n',
        "",
        KEPT + "test_only_json_is_stored",
    ),
    row(
        "senders-have-their-answers-first",
        "app/inbox.py",
        "            await self._senders.give_way()\n",
        "",
        KEPT + "test_the_sender_has_its_answer_first",
    ),
    row(
        "all-senders-go-first",
        "app/inbox_thread.py",
        "        if not self._first:\n",
        "        if True:\n",
        KEPT + "test_all_senders_go_first",
    ),
    row(
        "senders-do-not-keep-events-waiting-for-ever",
        "app/inbox_thread.py",
        "asyncio.timeout(self._longest)",
        "asyncio.timeout(None)",
        KEPT + "test_while_there_are_senders_events_are_processed_all_the_same",
    ),
    row(
        "W6-an-id-is-one-event-whatever-its-type",
        "app/inbox.py",
        "suppress(errors.DBOSConflictingWorkflowError)",
        "suppress(KeyError)",
        KEPT + "test_an_id_is_one_event_whatever_its_type",
    ),
    row(
        "lasting-events-are-told-apart",
        "app/inbox.py",
        "LASTING if event.type in self._lasting else EVENT",
        "LASTING",
        KEPT + "test_lasting_events_are_found_again",
    ),
    row(
        "lasting-events-are-found-by-when-they-came",
        "app/inbox.py",
        "                start_time=start,\n",
        "",
        KEPT + "test_lasting_events_are_found_again",
    ),
    row(
        "a-purge-hides-no-lasting-event",
        "app/inbox.py",
        "                sort_desc=True,\n",
        "",
        KEPT + "test_what_is_purged_or_comes_meanwhile_hides_no_lasting_event",
    ),
    row(
        "lasting-events-are-read-to-the-last-page",
        "app/inbox.py",
        "        while page == PAGE:\n",
        "        while place == 0:\n",
        KEPT + "test_what_is_purged_or_comes_meanwhile_hides_no_lasting_event",
    ),
    row(
        "an-inbox-lasts",
        "app/inbox.py",
        'if scheme not in ("sqlite", "postgresql") or not place or place.startswith(":memory:"):',
        "if False:",
        SET + "test_a_wrong_value_is_one_sentence_with_a_way_out",
    ),
    row(
        "an-inbox-in-memory-does-not-last",
        "app/inbox.py",
        ' or place.startswith(":memory:")',
        "",
        SET + "test_a_wrong_value_is_one_sentence_with_a_way_out",
    ),
    row(
        "an-inbox-that-cannot-be-opened-is-said-in-words",
        "app/inbox.py",
        "            raise InboxNotOpened(\n",
        "            raise RuntimeError(\n",
        KEPT + "test_a_file_that_is_no_inbox_is_said_in_words",
    ),
    row(
        "an-inbox-belongs-to-one-process",
        "app/inbox_claim.py",
        "            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)\n",
        "            pass\n",
        KEPT + "test_a_service_without_its_inbox_says_why",
    ),
    row(
        "a-number-belongs-to-one-replica",
        "app/inbox_claim.py",
        "            if not self._lock(self._number):\n",
        "            if not self._lock(self._number) and self._number < 0:\n",
        KEPT + "test_a_number_that_another_took_is_asked_for_again",
    ),
    row(
        "a-lost-number-is-asked-for-again",
        "app/inbox_claim.py",
        "                # Closed, so that the next call tries again\n"
        "                self._connection.close()\n",
        "",
        KEPT + "test_a_number_that_another_took_is_asked_for_again",
    ),
    row(
        "a-disk-without-locks-is-said-in-words",
        "app/inbox_claim.py",
        "        except OSError as error:\n            raise InboxNotOpened(\n",
        "        except OSError as error:\n            raise RuntimeError(\n",
        KEPT + "test_a_disk_without_locks_is_said_in_words",
    ),
    row(
        "a-folder-in-the-place-of-a-file-is-said-in-words",
        "app/inbox_claim.py",
        "with suppress(sqlite3.Error), closing(",
        "with closing(",
        KEPT + "test_a_folder_in_the_place_of_a_file_is_said_in_words",
    ),
    row(
        "a-second-process-is-refused-in-words",
        "app/inbox_claim.py",
        "        except BlockingIOError:\n            raise InboxNotOpened(\n",
        "        except BlockingIOError:\n            raise RuntimeError(\n",
        KEPT + "test_a_second_process_is_refused_in_words",
    ),
    row(
        "a-missing-folder-is-said-in-words",
        "app/inbox_claim.py",
        "    except OSError as error:\n        raise InboxNotOpened(\n",
        "    except OSError as error:\n        raise RuntimeError(\n",
        KEPT + "test_a_folder_that_is_not_there_is_said_in_words",
    ),
    row(
        "L1-a-missing-server-is-said-without-the-password",
        "app/inbox_claim.py",
        "        except psycopg.Error:\n            raise InboxNotOpened(\n",
        "        except ZeroDivisionError:\n            raise InboxNotOpened(\n",
        KEPT + "test_no_server_at_the_address_is_said_without_the_password",
    ),
    row(
        "an-old-sqlite-tells-the-time",
        "app/inbox_sqlite.py",
        '        connection.create_function("unixepoch", 1, _unixepoch)\n',
        "        pass\n",
        LATER + "test_it_tells_the_time_to_the_millisecond",
    ),
    row(
        "an-old-sqlite-knows-what-it-knew",
        "app/inbox_sqlite.py",
        'if moment == "subsec":',
        "if moment:",
        LATER + "test_it_knows_what_it_knew",
    ),
    row(
        "a-new-sqlite-is-left-alone",
        "app/inbox_sqlite.py",
        "if missing and not",
        "if not",
        LATER + "test_a_newer_one_is_left_alone",
    ),
    row(
        "L1-no-traceback-of-the-library",
        "app/inbox_log.py",
        "            record.exc_info = None\n",
        "            pass\n",
        KEPT + "test_the_library_writes_in_the_services_own_way",
    ),
    row(
        "L1-no-statement-of-the-library",
        "app/inbox_log.py",
        'record.getMessage().partition("\\n")[0], None',
        "record.getMessage(), None",
        KEPT + "test_the_library_writes_in_the_services_own_way",
    ),
    row(
        "an-orderly-end-is-no-warning",
        "app/inbox_log.py",
        '        if str(record.msg).startswith("Asyncio task cancelled"):\n',
        "        if False:\n",
        KEPT + "test_what_was_not_done_is_done_after_the_next_start",
    ),
    row(
        "L1-a-failing-handler-is-one-line",
        "app/inbox_log.py",
        "if kind is not None and issubclass(kind, EventFailed):",
        "if False:",
        KEPT + "test_a_failing_handler_leaves_nothing_in_the_log",
    ),
    row(
        "a-secret-is-long",
        "app/webhook_secrets.py",
        "    if any(len(secret.encode()) < MIN_SECRET_BYTES for secret in reveal(secrets)):\n",
        "    if False:\n",
        SET + "test_a_wrong_value_is_one_sentence_with_a_way_out",
    ),
    row(
        "every-secret-is-long",
        "app/webhook_secrets.py",
        "if any(len(secret.encode())",
        "if all(len(secret.encode())",
        SET + "test_a_wrong_value_is_one_sentence_with_a_way_out",
    ),
]

COMMANDS = [
    row(
        "no-command-makes-an-inbox",
        "app/inbox_commands.py",
        "if url.startswith(SQLITE) and not sqlite_path(url).exists():",
        "if False:",
        TOLD + "test_no_inbox_is_said_so",
    ),
    row(
        "an-unknown-event-is-said-so",
        "app/inbox_commands.py",
        "        if not rows:\n            raise NotDone(f",
        "        if not rows:\n            raise KeyError(f",
        TOLD + "test_an_unknown_event_is_said_so",
    ),
    row(
        "what-is-not-done-is-not-retried",
        "app/inbox_commands.py",
        'if self.event(event_id).state == "waiting":',
        'if self.event(event_id).state == "":',
        TOLD + "test_what_is_not_done_yet_is_not_retried",
    ),
    row(
        "an-age-has-a-unit",
        "app/inbox_commands.py",
        "    if duration is None:\n        raise ValueError(text)\n",
        "    if duration is None:\n        return 0\n",
        TOLD + "test_an_age_is_a_number_and_a_unit",
    ),
    row(
        "L1-no-password-in-what-commands-say",
        "app/inbox_commands.py",
        "({type(error).__name__})",
        "({error} {InboxAlone.read(environment()).inbox.database_url.get_secret_value()})",
        TOLD + "test_no_database_is_said_without_the_password",
    ),
]

MUTATIONS = [*SIGNATURE, *DELIVERIES, *SENDERS, *EVENTS, *PROCESSING, *INBOX, *COMMANDS]
