/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * The circuit's transitions; the clock is just a number.
 */
#include "config.h"

#include "state/circuit.h"
#include "check.h"

#define LEASE 60000
#define T 1000000 /* some time after boot */

static const struct circuit settings = {
	.failures = 3, .cooldown_ms = 5000, .cooldown_max_ms = 30000
};
static const struct circuit off = {
	.failures = 0, .cooldown_ms = 5000, .cooldown_max_ms = 30000
};

static int64_t
open_ms(uint64_t word, int64_t now_ms)
{
	return circuit_open_ms(word, &settings, LEASE, false, now_ms);
}

static uint64_t
opened_at(int64_t now_ms)
{
	uint64_t word = 0;

	for (int i = 0; i < 3; i++)
		word = circuit_failed(word, false, &settings, now_ms);
	return word;
}

static void
test_packing(void)
{
	struct circuit_view v = { .state = CIRCUIT_TRIAL,
		.failures = 1023,
		.growth = 31,
		.owner = CIRCUIT_OWNERS - 1,
		.until_ms = (INT64_C(1) << 38) - 1 };
	struct circuit_view got = circuit_view(circuit_word(&v));

	CHECK(got.state == v.state && got.failures == v.failures &&
		got.growth == v.growth && got.owner == v.owner &&
		got.until_ms == v.until_ms,
	    "the widest values come back as they were");
	got = circuit_view(0);
	CHECK(got.state == CIRCUIT_CLOSED && got.failures == 0 &&
		open_ms(0, T) == 0,
	    "a word of zeroes is a closed circuit");
}

static void
test_opening(void)
{
	uint64_t word = circuit_failed(0, false, &settings, T);

	word = circuit_failed(word, false, &settings, T);
	CHECK(open_ms(word, T) == 0, "two of three failures keep it closed");
	CHECK(circuit_answered(word, false) == 0,
	    "an answer in between starts the count anew");
	word = circuit_failed(word, false, &settings, T);
	CHECK(open_ms(word, T) == 5000, "the third opens it for the cooldown");
	CHECK(open_ms(word, T + 4999) == 1, "until the last millisecond");
	CHECK(open_ms(word, T + 5000) == -1, "then a trial is due");
	CHECK(circuit_view(word).failures == 3, "it remembers how many");
	word = circuit_failed(word, false, &settings, T + 4000);
	CHECK(open_ms(word, T + 4000) == 1000,
	    "a straggler's failure does not prolong it");
	word = 0;
	for (int i = 0; i < 2000; i++)
		word = circuit_failed(word, false, &off, T);
	CHECK(circuit_view(word).state == CIRCUIT_CLOSED &&
		circuit_view(word).failures == 1023,
	    "failures = 0 never opens, and the count stays in its bits");
}

static void
test_growth(void)
{
	static const int64_t want[] = { 10000, 20000, 30000, 30000 };
	uint64_t word = opened_at(T);
	int64_t now_ms = T;

	for (size_t i = 0; i < 4; i++) {
		now_ms += 100000;
		word = circuit_begin_trial(word, 7, now_ms + LEASE);
		word = circuit_failed(word, true, &settings, now_ms);
		CHECK(open_ms(word, now_ms) == want[i],
		    "failed trial %zu: open for %lld ms", i + 1,
		    (long long)want[i]);
	}
	for (int i = 0; i < 100; i++) {
		word = circuit_begin_trial(word, 7, now_ms + LEASE);
		word = circuit_failed(word, true, &settings, now_ms);
	}
	CHECK(open_ms(word, now_ms) == 30000, "a hundred do not overflow it");
	word = circuit_answered(circuit_begin_trial(word, 7, now_ms), true);
	CHECK(word == 0, "an answered trial closes it and forgets the growth");
}

static void
test_trial(void)
{
	uint64_t word = circuit_begin_trial(opened_at(T), 9, T + LEASE);

	CHECK(circuit_view(word).owner == 9, "a trial knows its owner");
	CHECK(open_ms(word, T) > 0, "others wait for it");
	CHECK(circuit_open_ms(word, &settings, LEASE, true, T) == -1,
	    "not for one whose process is dead");
	CHECK(open_ms(word, T + LEASE) == -1, "nor beyond its lease");
	CHECK(open_ms(circuit_abandoned(word, true, T + 10), T + 10) == -1,
	    "given back, the next is due at once");
	CHECK(circuit_view(circuit_abandoned(word, true, T)).failures == 3,
	    "and nothing is counted");
	CHECK(circuit_abandoned(word, false, T) == word,
	    "what is not the trial gives nothing back");
	CHECK(circuit_view(circuit_failed(word, false, &settings, T)).state ==
		CIRCUIT_TRIAL,
	    "a straggler's failure leaves the trial alone");
	CHECK(circuit_answered(word, false) == 0,
	    "a straggler's answer closes the circuit");
}

static uint64_t
limited(uint64_t word, int64_t retry_after_ms, int64_t now_ms)
{
	return circuit_rate_limited(
	    word, false, &settings, retry_after_ms, now_ms);
}

static void
test_rate_limit(void)
{
	uint64_t word = limited(0, 7000, T), trial;

	CHECK(open_ms(word, T) == 7000, "a 429 opens for its Retry-After");
	CHECK(circuit_view(word).failures == 0, "and is no failure");
	CHECK(open_ms(word, T + 7000) == -1, "then one may try");
	CHECK(circuit_answered(word, false) == word,
	    "an answer sent for before it does not end it");
	CHECK(open_ms(limited(0, 3600000, T), T) == 30000,
	    "an hour counts up to cooldown_max");
	CHECK(limited(0, 0, T) == 0 && limited(0, -5, T) == 0,
	    "without a time nothing is opened");
	CHECK(open_ms(limited(word, 1000, T), T) == 7000,
	    "a shorter one does not shorten it");
	CHECK(open_ms(limited(word, 9000, T), T) == 9000,
	    "a longer one lengthens it");
	trial = circuit_begin_trial(word, 1, T + LEASE);
	CHECK(limited(trial, 5000, T) == trial,
	    "a straggler's 429 leaves the trial alone");
	CHECK(open_ms(circuit_rate_limited(trial, true, &settings, 5000, T),
		  T) == 5000,
	    "the trial's own 429 holds again, not doubled");
	CHECK(circuit_rate_limited(trial, true, &settings, 0, T) == 0,
	    "without a time it answered: closed");
	CHECK(circuit_answered(trial, true) == 0, "an answer closes");
}

static void
test_loading(void)
{
	uint64_t word = circuit_loading(0, false, T);
	uint64_t trial = circuit_begin_trial(word, 1, T + LEASE);

	CHECK(open_ms(word, T) == CIRCUIT_LOADING_MS,
	    "a loading model opens for a short time");
	for (int i = 0; i < 20; i++) {
		trial = circuit_begin_trial(word, 1, T + LEASE);
		word = circuit_loading(trial, true, T);
	}
	CHECK(open_ms(word, T) == CIRCUIT_LOADING_MS &&
		circuit_view(word).failures == 0,
	    "which does not grow and counts nothing");
	CHECK(circuit_answered(word, false) == 0, "an answer closes it");
	word = opened_at(T);
	CHECK(circuit_loading(word, false, T) == word,
	    "a straggler does not shorten an open circuit");
}

static void
test_reboot(void)
{
	uint64_t word = opened_at(INT64_C(90000000000));
	uint64_t trial = circuit_begin_trial(word, 3, 90000000000 + LEASE);

	CHECK(open_ms(word, 1000) == -1,
	    "opened before a reboot: a trial is due");
	CHECK(open_ms(trial, 1000) == -1, "a trial from then holds nobody up");
}

int
main(void)
{
	test_packing();
	test_opening();
	test_growth();
	test_trial();
	test_rate_limit();
	test_loading();
	test_reboot();
	return check_done();
}
