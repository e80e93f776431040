/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * The parts of a shared rate that processes have in advance
 * (src/fleet/purse_ahead.c, purse_rate.c, purse_rate_script.c), for spin: no
 * part is given twice, so that no window of one run of the engine has more
 * requests than the bound.
 *
 * The engine's second has two halves, which are the steps of the time.  Its
 * ring has two seconds, so what is claimed is that no two halves after each
 * other have more than BOUND.  One process has parts in advance; others ask for
 * each request.  The engine may be killed, and then has forgotten
 * all; calls are executed late or never, and replies come late or never.
 *
 * BUG leaves out one rule: 1 the time of a part counts from the reply, not from
 * the sending of the question; 2 what is given back is used all the same; 3
 * what one run has counted is taken off the count of another; 4 what is given
 * back is said again, because its call may have been lost; 5 a part is used
 * after its second.
 */
#ifndef BUG
#define BUG 0
#endif
#define HALVES (2 * SECONDS)

byte t;				/* in halves */
byte life;			/* the engine's run */
byte kills;
byte ring[SECONDS];
byte admitted[HALVES * 2];	/* in a half, of a run */

/* The process: what it has in advance, */
byte part, part_second, part_life, until;
/* what it owes, */
byte owes, owes_second, owes_life;
/* its question (0 none, 1 on its way, 2 executed), and what the engine said, */
byte asks, sent, got, got_second, got_until;
/* and its report that is on its way. */
byte says, says_second, says_life;

/* Of one step; 0 between two. */
byte sum, n;

inline admit(which) {
	admitted[which * HALVES + t]++;
	assert(admitted[which * HALVES + t] +
		(t > 0 -> admitted[which * HALVES + t - 1] : 0) <= BOUND)
}

inline count() {
	sum = ring[t / 2] + (t >= 2 -> ring[t / 2 - 1] : 0)
}

/* The engine admits one more. */
inline ask() {
	count();
	if
	:: sum < BOUND -> ring[t / 2]++; admit(life)
	:: else
	fi
}

/* A question, with parts wanted in advance.  Of the engine's second so much is
 * left; the process adds it to the time at which it asked. */
inline execute() {
	ask();
	asks = 2; got_second = t / 2; got_until = sent + 2 - t % 2;
	if
	:: sum + 2 <= BOUND ->
		got = (sum + 3 <= BOUND -> 2 : 1); ring[t / 2] = ring[t / 2] + got
	:: else
	fi;
	sum = 0
}

inline no_question() {
	asks = 0; sent = 0; got = 0; got_second = 0; got_until = 0
}

inline no_part() {
	if
	:: part == 0 -> part_second = 0; part_life = 0; until = 0
	:: else
	fi
}

/* The engine learns that so many were not made after all. */
inline report() {
	n = (ring[says_second] < says -> ring[says_second] : says);
	if
	:: says_life == life || BUG == 3 ->
		ring[says_second] = ring[says_second] - n
	:: else
	fi;
	n = 0; says = 0; says_second = 0; says_life = 0
}

active proctype process() {
	do
	:: atomic { asks == 0 && part == 0 -> asks = 1; sent = t }
	:: d_step { asks == 1 -> execute() }
	/* The reply, or none. */
	:: d_step { asks == 2 ->
		part = got; part_second = got_second; part_life = life;
		until = got_until + (BUG == 1 -> t - sent : 0);
		no_part(); no_question() }
	:: d_step { asks == 2 -> no_question() }
	/* A request for which it has a part. */
	:: d_step { part > 0 && (t < until || BUG == 5) ->
		part--; admit(part_life); no_part() }
	/* Gives back what is left. */
	:: d_step { part > 0 && owes == 0 ->
		owes = part; owes_second = part_second; owes_life = part_life;
		part = (BUG == 2 -> part : 0); no_part() }
	:: d_step { owes > 0 && says == 0 ->
		says = owes; says_second = owes_second; says_life = owes_life;
		owes = (BUG == 4 -> owes : 0);
		owes_second = (owes > 0 -> owes_second : 0);
		owes_life = (owes > 0 -> owes_life : 0) }
	:: d_step { says > 0 -> report() }
	od
}

active proctype others() {
	do
	:: d_step { true -> ask(); sum = 0 }
	od
}

active proctype engine() {
	do
	:: t + 1 < HALVES -> t++
	/* What was on the way is gone; another run begins. */
	:: d_step { kills < KILLS ->
		kills++; life++; n = 0;
		do
		:: n < SECONDS -> ring[n] = 0; n++
		:: else -> break
		od;
		n = 0; no_question(); says = 0; says_second = 0; says_life = 0 }
	od
}
