/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * The protocol of src/fleet/leases.h, for spin: who may send to the model
 * server, over hosts that share one engine.
 *
 * A host is a process with at most one request.  Time passes in ticks, of which
 * a lease has LEASE.  All times are ages, so that the states are finite.  A
 * call is sent (sent = age of its sending), done by the engine at any time, and
 * its reply comes at any time after that, or never.  The engine's own clock is
 * the sum of what passed between two of its calls, of which no more than CAP
 * counts; a step of its clock makes a call count CAP, or nothing.
 *
 * The adversary may, as often as it is given: restart the engine, empty or
 * with what it knew when it was last saved; lose a call or its reply; stop a
 * host (only the kernel's timer goes on for it); kill one; step the engine's
 * clock, but once in a lease.
 *
 * Claims: never are more requests at the model server than SLOTS; when the
 * adversary has done what it may, every request is served and every slot is
 * free again within CALM ticks.
 *
 * A process that died has its slot given back by another one of its host, at any
 * time after its death, or never.
 *
 * BUG leaves out one rule, to see that the claims notice: 1 no grace after a
 * restart; 2 the kernel's timer does not end a stopped host; 3 a jump of the
 * clock counts whole; 4 the lease counts from the reply, not from the sending;
 * 5 a beat does not take back what its process has no more; 6 a snapshot is
 * believed; 7 the slot of a process that is only stopped is given back, too.
 */
#ifndef BUG
#define BUG 0
#endif
#define LEASE 4
#define SOFT 2
#define KILL 3		/* > SOFT, <= LEASE - CAP */
#define CAP 1		/* = a beat's period */
#define HOLD 2		/* ticks that a request takes at the most */
#define CALM 16
#define NONE 0
#define WAITS 1
#define HOLDS 2
#define DONE 3

/* The engine; saved is its snapshot.  has: bit of each host. */
byte has, queue, saved_has, saved_queue;
byte left[HOSTS];	/* of the host's lease; 0: none */
byte grace;
byte gap;		/* ticks since its last call */
byte since_step = LEASE;
/* The hosts. */
byte is[HOSTS];		/* what it believes */
byte age[HOSTS];	/* since the sending of its last call that it knows */
bool serving[HOSTS];	/* at the model server */
byte ran[HOSTS];
bool stopped[HOSTS], dead[HOSTS];
/* A call: 0 none, 1 on its way, 2 done. */
byte call[HOSTS], sent[HOSTS];
byte told[HOSTS];	/* what the reply says: has it */
byte faults = FAULTS;
byte calm;
hidden byte n, i, adv;

#define BIT(h) (1 << (h))
#define IN(set, h) (((set) >> (h)) & 1)

inline count() {
	n = 0;
	for (i : 0 .. HOSTS - 1) { n = n + serving[i] }
	assert(n <= SLOTS);
}

inline used() {
	n = 0;
	for (i : 0 .. HOSTS - 1) { n = n + IN(has, i) }
}

/* The engine's clock goes on; who is out of time loses all. */
inline pass() {
	gap = 0;
	grace = (grace > adv -> grace - adv : 0);
	for (i : 0 .. HOSTS - 1) {
		if
		:: left[i] > 0 && left[i] <= adv ->
			left[i] = 0; has = has & ~BIT(i); queue = queue & ~BIT(i)
		:: left[i] > adv -> left[i] = left[i] - adv
		:: else
		fi
	}
}

/* What a call does there: it is a beat, says what its process has, and asks
 * for what it waits for. */
inline work(h) {
	left[h] = LEASE;
	if
	:: is[h] == HOLDS && !IN(has, h) && (grace > 0) -> has = has | BIT(h)
	:: is[h] == WAITS && !IN(has, h) -> queue = queue | BIT(h)
	:: (is[h] == NONE || is[h] == DONE) && BUG != 5 ->
		has = has & ~BIT(h); queue = queue & ~BIT(h)
	:: else
	fi;
	used();
	for (i : 0 .. HOSTS - 1) {
		if
		:: IN(queue, i) && grace == 0 && n < SLOTS ->
			has = has | BIT(i); queue = queue & ~BIT(i); n++
		:: else
		fi
	}
	told[h] = IN(has, h);
	call[h] = 2
}

/* What a dead process had is free, and the next one gets it. */
inline give_back(h) {
	has = has & ~BIT(h); queue = queue & ~BIT(h);
	used();
	for (i : 0 .. HOSTS - 1) {
		if
		:: IN(queue, i) && grace == 0 && n < SLOTS ->
			has = has | BIT(i); queue = queue & ~BIT(i); n++
		:: else
		fi
	};
	left[h] = 0
}

inline finish(h) {
	serving[h] = false;
	is[h] = DONE
}

inline reply(h) {
	call[h] = 0;
	age[h] = (BUG == 4 -> 0 : sent[h]);
	if
	:: is[h] == WAITS && told[h] && age[h] < SOFT ->
		is[h] = HOLDS; serving[h] = true; ran[h] = 0
	:: is[h] == HOLDS && !told[h] -> finish(h)
	:: else
	fi;
	sent[h] = 0;
	told[h] = 0;
	count()
}

/* Nothing may be late but by the adversary's doing. */
#define BUSY(h) (!stopped[h] && !dead[h])
#define DUE(h) (call[h] == 1 || (BUSY(h) && (call[h] == 2 || \
    (is[h] != NONE && (is[h] != DONE || IN(has, h)) && age[h] >= 1))))

inline tick() {
	gap = (gap < (BUG == 3 -> LEASE : CAP) -> gap + 1 : gap);
	since_step = (since_step < LEASE -> since_step + 1 : LEASE);
	if
	:: faults == 0 -> calm++; saved_has = 0; saved_queue = 0;
		since_step = LEASE
	:: else
	fi;
	for (i : 0 .. HOSTS - 1) {
		age[i] = (serving[i] -> age[i] + 1 : 1);
		sent[i] = (call[i] != 0 && sent[i] < LEASE -> sent[i] + 1 :
		    sent[i]);
		ran[i] = (serving[i] -> ran[i] + 1 : 0);
		if	/* the kernel's timer */
		:: serving[i] && age[i] >= KILL && (BUG != 2 || !stopped[i]) ->
			serving[i] = false; dead[i] = true; call[i] = 0; is[i] = DONE
		:: else
		fi;
		if
		:: BUSY(i) && serving[i] && (age[i] >= SOFT) ->
			finish(i)
		:: BUSY(i) && serving[i] && ran[i] >= HOLD -> finish(i)
		:: else
		fi
	}
	/* The slot of the last one is found free by others' calls only, so
	 * somebody looks: a process that starts. */
	if
	:: calm >= 1 && gap >= CAP -> adv = (gap < CAP -> gap : CAP); pass();
	:: else
	fi;
	if
	:: calm >= CALM ->
		for (i : 0 .. HOSTS - 1) {
			assert(dead[i] || stopped[i] || is[i] == DONE ||
			    is[i] == NONE);
			assert(!IN(has, i))
		}
	:: else
	fi
}

inline restart(keeps) {
	/* What it knows of another run of it is forgotten. */
	has = (BUG == 6 && keeps -> saved_has : 0);
	queue = (BUG == 6 && keeps -> saved_queue : 0);
	grace = (BUG == 1 -> 0 : LEASE);
	for (i : 0 .. HOSTS - 1) {	/* connections are gone, leases anew */
		call[i] = 0; sent[i] = 0; told[i] = 0;
		left[i] = (IN(has, i) || IN(queue, i) -> LEASE : 0)
	}
}

init {
	byte h;
	do
	:: d_step { calm < CALM && (faults > 0 ||
	    (!DUE(0) && !DUE(1) && !DUE(HOSTS - 1))) -> tick() }
	:: calm >= CALM -> break
	:: atomic {
		select(h : 0 .. HOSTS - 1);
		if
		:: BUSY(h) && is[h] == NONE && call[h] == 0 && calm < 2 -> is[h] = WAITS
		:: BUSY(h) && call[h] == 0 && is[h] != NONE ->
			call[h] = 1; sent[h] = 0
		:: call[h] == 1 -> d_step {
			adv = (BUG == 3 || gap < CAP -> gap : CAP); pass();
			work(h) }
		:: BUSY(h) && call[h] == 2 -> d_step { reply(h) }
		:: BUSY(h) && serving[h] -> finish(h)
		:: (dead[h] || (BUG == 7 && stopped[h])) && IN(has | queue, h) ->
			d_step {
			adv = (BUG == 3 || gap < CAP -> gap : CAP); pass();
			give_back(h) }
		:: stopped[h] && !dead[h] && calm < 2 -> stopped[h] = false
		:: BUSY(h) && call[h] != 0 && faults > 0 ->
			call[h] = 0; sent[h] = 0; told[h] = 0; faults--
		:: BUSY(h) && faults > 0 -> stopped[h] = true; faults--
		:: !dead[h] && faults > 0 ->
			dead[h] = true; serving[h] = false; is[h] = DONE;
			faults--
		:: else
		fi;
		h = 0 }
	:: faults > 0 -> d_step { restart(false); faults-- }
	:: BUG == 6 && faults > 0 -> d_step { restart(true); faults-- }
	:: faults > 0 && since_step >= LEASE -> d_step {
		adv = (BUG == 3 -> LEASE : CAP); pass(); since_step = 0; faults-- }
	:: BUG == 6 && faults > 0 -> d_step { saved_has = has; saved_queue = queue }
	od
}
