"""What is remembered about a token, for how long, and who waits for whom."""

from tests.mutations.mutation import Mutation

CACHE = "app/auth/cache.py"
ANSWERS = "app/auth/answers.py"
REDIS = "app/auth/redis_store.py"
TESTS = "tests/test_cache.py::test_"
IN_REDIS = "tests/test_redis.py::test_"
SETTINGS = "tests/test_cache_settings.py::test_a_wrong_value_is_refused_in_words"
SERVICE = "tests/test_cached_service.py::test_"
WRITTEN = "tests/test_answers.py::test_what_is_no_answer_of_ours_is_none"
WITH_CACHING = {"include_caching": True}


def row(rule: str, file: str, old: str, new: str, test: str) -> Mutation:
    """Return an edit of a project with caching."""
    return Mutation(rule, file, old, new, test, WITH_CACHING)


def redis(rule: str, old: str, new: str, test: str) -> Mutation:
    """Return an edit of the store in Redis, which takes a server to miss."""
    return Mutation(rule, REDIS, old, new, IN_REDIS + test, WITH_CACHING, needs="redis-server")


MUTATIONS = [
    row(
        "an-answer-has-its-time",
        ANSWERS,
        "end = self.asked_at + lifetime",
        "end = self.asked_at + 2 * lifetime",
        TESTS + "an_answer_leaves_memory_when_its_time_is_over",
    ),
    row(
        "an-answer-is-never-believed-after-expiry",
        ANSWERS,
        "return end if expires_at is None or end < expires_at else expires_at",
        "return end",
        TESTS + "an_answer_is_never_believed_after_expiry",
    ),
    row(
        "an-answer-counts-from-its-question",
        CACHE,
        "            if Answer(outcome, asked_at).until(self._ttl) > self._clock():\n"
        "                await self._store.set(key, Answer(outcome, asked_at))\n",
        "            await self._store.set(key, Answer(outcome, self._clock()))\n",
        TESTS + "the_time_of_an_answer_begins_with_its_question",
    ),
    row(
        "an-answer-of-the-future-is-none",
        CACHE,
        "since < answer.asked_at <= now < answer",
        "since < answer.asked_at and now < answer",
        TESTS + "an_answer_from_the_future_is_none",
    ),
    row(
        "zero-is-off",
        CACHE,
        "        if self._ttl == 0:\n            max_age = 0\n",
        "",
        TESTS + "nothing_is_remembered_with_a_time_of_zero",
    ),
    row(
        "a-no-is-remembered",
        CACHE,
        '            raise InvalidToken("inactive")\n',
        "            pass\n",
        TESTS + "a_clear_no_is_remembered_for_its_own_time",
    ),
    row(
        "a-no-has-its-own-time",
        CACHE,
        "asked_at + settings.negative_ttl",
        "asked_at + settings.ttl",
        TESTS + "a_clear_no_is_remembered_for_its_own_time",
    ),
    row(
        "only-a-clear-no-is-remembered",
        CACHE,
        'return refusal.reason == "inactive"',
        "return True",
        TESTS + "what_is_no_clear_no_is_not_remembered",
    ),
    row(
        "an-outage-is-not-remembered",
        CACHE,
        "elif not isinstance(outcome, ProviderUnavailable):",
        "else:",
        TESTS + "an_outage_leaves_what_is_remembered",
    ),
    row(
        "what-ends-while-it-is-taken-is-no-error",
        CACHE,
        "refused_at = self._refused.get(key)",
        "refused_at = self._refused[key] if key in self._refused else None",
        TESTS + "a_no_that_ends_while_it_is_looked_at_is_none",
    ),
    row(
        "I16-junk-has-a-room-of-its-own",
        CACHE,
        "        refused_at = self._refused.get(key)\n",
        '        await self.store.keep(key, Answer(Claims(), now), b"")\n'
        "        refused_at = self._refused.get(key)\n",
        TESTS + "junk_pushes_out_no_good_answer",
    ),
    row(
        "there-is-so-much-room",
        ANSWERS,
        "            max_entries, lambda _, answer",
        "            10 * max_entries, lambda _, answer",
        TESTS + "the_answers_that_are_used_stay",
    ),
    row(
        "an-answer-has-a-size",
        ANSWERS,
        "return raw if len(raw) <= MAX_SIZE else None",
        "return raw",
        TESTS + "an_answer_that_is_too_large_is_not_remembered",
    ),
    row(
        "an-answer-has-a-depth",
        ANSWERS,
        "    except RecursionError:\n        return None\n    return raw",
        "    except KeyError:\n        return None\n    return raw",
        TESTS + "an_answer_that_is_nested_too_deeply_is_not_remembered",
    ),
    row(
        "whoever-wants-to-be-sure-asks",
        CACHE,
        "since = now - (self._ttl if max_age is None else min(max_age, self._ttl))",
        "since = now - self._ttl",
        TESTS + "whoever_wants_to_be_sure_asks_the_provider",
    ),
    row(
        "whoever-wants-to-be-sure-believes-no-old-no",
        CACHE,
        "(max_age is None or refused_at > now - max_age)",
        "True",
        TESTS + "a_fresh_yes_is_remembered_and_takes_the_place_of_a_no",
    ),
    row(
        "a-fresh-no-takes-the-place-of-a-yes",
        CACHE,
        "            if is_known:\n",
        "            if False:\n",
        TESTS + "a_fresh_no_takes_the_place_of_what_was_remembered",
    ),
    row(
        "a-fresh-yes-takes-the-place-of-a-no",
        CACHE,
        "            self._refused.pop(key, None)\n",
        "            pass\n",
        TESTS + "a_fresh_yes_is_remembered_and_takes_the_place_of_a_no",
    ),
    row(
        "as-old-as-allowed-is-too-old",
        CACHE,
        "return since < answer.asked_at",
        "return since <= answer.asked_at",
        TESTS + "an_answer_is_young_enough_or_not[good]",
    ),
    row(
        "I11-one-question-for-all",
        CACHE,
        "if flight is not None and flight.asked_at > since:",
        "if flight is None and now < 0:",
        TESTS + "a_hundred_who_ask_at_once_wait_for_one_answer",
    ),
    row(
        "a-refusal-is-shared",
        CACHE,
        "            raise outcome.with_traceback(None)\n",
        "            return await self._inner.verify(token)\n",
        TESTS + "a_hundred_share_a_refusal",
    ),
    row(
        "a-waiter-takes-nothing-along",
        CACHE,
        "await asyncio.shield(flight.outcome)",
        "await flight.outcome",
        TESTS + "whoever_goes_away_takes_the_answer_from_nobody",
    ),
    row(
        "nothing-is-left-of-a-question",
        CACHE,
        "                del self._flights[key]\n",
        "                pass\n",
        TESTS + "nobody_waits_for_a_question_that_is_over",
    ),
    row(
        "whoever-wants-to-be-sure-waits-for-no-older-question",
        CACHE,
        "if flight is not None and flight.asked_at > since:",
        "if flight is not None:",
        TESTS + "whoever_wants_to_be_sure_does_not_wait_for_an_older_question",
    ),
    row(
        "an-older-question-has-no-say",
        CACHE,
        "            if self._flights.get(key) is flight:\n                await self._learn",
        "            if True:\n                await self._learn",
        TESTS + "an_older_question_has_no_say_over_a_newer_answer",
    ),
    row(
        "a-key-is-of-one-authority",
        CACHE,
        '"\\0".join((DOMAIN, *authority, ""))',
        "DOMAIN",
        TESTS + "another_authority_says_something_else",
    ),
    row(
        "authorities-are-kept-apart",
        CACHE,
        '"\\0".join(',
        '"".join(',
        TESTS + "authorities_are_not_run_together",
    ),
    row(
        "a-key-is-no-plain-hash",
        CACHE,
        "digest = self._keys.copy()",
        "digest = hashlib.sha256()",
        TESTS + "a_key_tells_nothing_about_the_token",
    ),
    row(
        "I13-scopes-are-asked-for-on-a-hit",
        "app/auth/bearer.py",
        "            check_scopes(principal, security_scopes.scopes)\n",
        "",
        SERVICE + "a_scope_is_asked_for_on_a_hit",
    ),
    row(
        "what-does-harm-is-asked-about-anew",
        "app/routes/rights.py",
        "Security(fresh_bearer,",
        "Security(bearer,",
        SERVICE + "what_does_harm_is_asked_about_anew",
    ),
    row(
        "a-fresh-bearer-says-how-old-an-answer-may-be",
        "app/auth/fresh.py",
        "verifier.verify(token, max_age=self.max_age)",
        "verifier.verify(token)",
        SERVICE + "what_does_harm_is_asked_about_anew",
    ),
    row(
        "a-store-has-a-known-scheme",
        CACHE,
        '        raise ValueError("has a scheme that is not known: set memory://, redis:// or '
        'rediss://")\n',
        "        pass\n",
        SETTINGS + "[unknown-scheme]",
    ),
    row(
        "a-store-has-a-host",
        CACHE,
        '        raise ValueError("names no server: set redis://, a host and a port")\n',
        "        pass\n",
        SETTINGS + "[no-host]",
    ),
    row(
        "a-store-has-a-port",
        CACHE,
        "    except ValueError:\n        raise ValueError(",
        "    except KeyError:\n        raise ValueError(",
        SETTINGS + "[no-port]",
    ),
    row(
        "a-store-has-no-options",
        CACHE,
        "    if parts.query or parts.fragment:\n",
        "    if parts.fragment:\n",
        SETTINGS + "[options]",
    ),
    row(
        "a-store-has-a-database",
        CACHE,
        '    if not (parts.path.strip("/") or "0").isdecimal():\n',
        "    if False:\n",
        SETTINGS + "[no-database]",
    ),
    row(
        "a-time-is-not-negative",
        CACHE,
        "        default=30,\n        ge=0,\n",
        "        default=30,\n",
        SETTINGS + "[negative]",
    ),
    row(
        "a-time-is-not-too-long",
        CACHE,
        "        le=300,\n",
        "",
        SETTINGS + "[too-long]",
    ),
    row(
        "a-no-is-not-remembered-too-long",
        CACHE,
        "        le=60,\n",
        "",
        SETTINGS + "[too-long-a-no]",
    ),
    row(
        "there-is-room-for-one",
        CACHE,
        "        ge=1,\n",
        "",
        SETTINGS + "[no-room]",
    ),
    row(
        "an-answer-says-whose-it-is",
        ANSWERS,
        '(record.get("version"), record.get("key")) != (VERSION, key)',
        'record.get("version") != VERSION',
        WRITTEN + "[of-another-token]",
    ),
    row(
        "an-answer-says-of-which-release-it-is",
        ANSWERS,
        '(record.get("version"), record.get("key")) != (VERSION, key)',
        'record.get("key") != key',
        WRITTEN + "[of-another-release]",
    ),
    row(
        "a-written-answer-of-the-future-is-none",
        ANSWERS,
        " or asked_at > now:",
        ":",
        WRITTEN + "[of-the-future]",
    ),
    row(
        "a-written-answer-has-claims",
        ANSWERS,
        "if not isinstance(claims, dict) or not",
        "if not",
        WRITTEN + "[claims-of-another-kind]",
    ),
    row(
        "a-written-answer-has-good-claims",
        ANSWERS,
        "    except MalformedClaims:\n        return None\n",
        "    except KeyError:\n        return None\n",
        WRITTEN + "[claim-of-another-kind]",
    ),
    row(
        "a-written-answer-has-a-size",
        ANSWERS,
        "    if len(raw) > MAX_SIZE:\n        return None\n",
        "",
        WRITTEN + "[too-large]",
    ),
    Mutation(
        "an-answer-ends-at-its-second",
        CACHE,
        "answer.asked_at <= now < answer.until(self._ttl)",
        "answer.asked_at <= now",
        IN_REDIS + "an_old_answer_is_none",
        WITH_CACHING,
        needs="redis-server",
    ),
    redis(
        "an-answer-is-shared",
        'f"answers:{hashlib.sha256(repr(authority).encode()).hexdigest()[:16]}:"',
        'f"answers:{id(self)}:"',
        "two_services_share_answers",
    ),
    redis(
        "a-fresh-no-counts-for-everybody",
        "            await self._in_time(remove)\n",
        "            pass\n",
        "a_fresh_no_counts_for_everybody",
    ),
    redis(
        "an-answer-leaves-redis-with-its-time",
        "value, px=left)",
        "value, px=10 * left)",
        "an_answer_leaves_redis_when_its_time_is_over",
    ),
    redis(
        "I18-a-redis-that-is-down-is-left-alone",
        '            raise StoreUnavailable("paused")\n',
        "            pass\n",
        "a_redis_that_hangs_is_not_waited_for",
    ),
    redis(
        "I18-and-tried-again",
        "self._failed_at < PAUSE:",
        "self._failed_at < 1000 * PAUSE:",
        "a_redis_that_is_killed_is_missed_by_nobody",
    ),
    redis(
        "I18-its-failure-is-nobodys",
        "            raise StoreUnavailable(type(error).__name__) from None\n",
        "            raise\n",
        "a_redis_that_is_killed_is_missed_by_nobody",
    ),
    redis(
        "I18-whatever-it-is-that-fails",
        "        except Exception as error:  # noqa: BLE001",
        "        except OSError as error:  # noqa: BLE001",
        "what_is_no_redis_is_missed_by_nobody[zeros]",
    ),
    redis(
        "I18-a-refused-command-is-no-outage",
        "is_alive=refused or self._answered > answered",
        "is_alive=self._answered > answered",
        "a_refused_command_is_no_outage",
    ),
    redis(
        "I18-a-slow-process-is-no-outage",
        "is_alive=refused or self._answered > answered",
        "is_alive=refused",
        "a_process_that_is_slow_is_no_outage",
    ),
    redis(
        "I18-it-is-said-once-a-minute",
        "if not 0 <= now - self._logged_at < SILENCE:",
        "if True:",
        "a_redis_that_stays_away_is_mentioned_once_a_minute",
    ),
    redis(
        "I18-and-said-again",
        "if not 0 <= now - self._logged_at < SILENCE:",
        "if self._logged_at < 0:",
        "a_redis_that_stays_away_is_mentioned_once_a_minute",
    ),
    row(
        "a-public-redis-is-warned-about",
        CACHE,
        'if url.startswith("redis://") and not is_private(host):',
        "if False:",
        "tests/test_cached_service.py::test_a_public_redis_without_tls_is_warned_about",
    ),
]
