/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * The trials of src/fleet/circuits.h, for spin: which host tries a provider
 * whose circuit is open, over hosts that share one engine.
 *
 * A call is sent, done by the engine at any time, and its reply comes at any
 * time after that.  A message has come before time passes, but not before any
 * other step.  Time passes in ticks when nothing is due.  The provider works
 * again from the beginning on, but host 0 cannot reach it if DEAF.
 *
 * In the beginning the fleet's circuit is open.  If OWN, only host 0 has left
 * the provider alone, and the engine knows nothing of it: its trial is quiet, as
 * is one that the engine hears of by a renewal.
 *
 * The adversary may, as often as it is given: kill a host; restart the engine,
 * empty; lose a call, done or not, whose host then tries without the engine
 * (alone), as each host does while the engine is away.  FAILS times, a host whose
 * circuit is closed finds the provider failing, so that it opens the circuit for
 * all.  That begins anew: trials that are under way then, quiet ones or some of
 * before, go on but no longer count.
 * FLAPS times the deaf host's circuit opens again, by timeouts.
 *
 * Claims: of the hosts that were granted a trial never two try at once; when
 * the adversary has done what it may, every host that lives and can reach the
 * provider has a closed circuit within CALM ticks; a host never leaves the
 * provider alone because of another host's quiet trial; what a host opens is
 * open for all, unless the fleet tries it just then; whatever the deaf host says
 * of its timeouts, the engine never makes the others wait for a cooldown.
 *
 * BUG leaves out one rule: 1 a renewal does not tell a new run of the engine of
 * its trial; 2 a new run grants a trial at once; 3 leases are not renewed; 4
 * who can't reach the provider may ask again at once, and makes the others
 * wait; 5 a quiet trial is told to all; 6 one that did not reach the provider
 * opens the circuit for all; 7 nobody can open a circuit during a quiet trial; 8
 * who asks during a quiet trial waits for its whole lease; 9 the timeouts of one
 * host count for all.
 */
#ifndef BUG
#define BUG 0
#endif
#ifndef FLAPS
#define FLAPS 0
#endif
#define LEASE 3
#define COOL 2
#ifndef OWN
#define OWN 0
#endif
#define HOLD 4		/* ticks that a trial takes at the most, > LEASE */
#define CALM 20
#define NIL 0
#define CLOSED 1
#define OPEN 2
#define TRIAL 3
#define MINE 4

/* The engine. */
byte eng = OPEN, own, left, grace;
byte shy = 255, shy_left;
bool quiet;
/* The hosts: what they believe, and for how long; NIL: they are alone. */
byte view[HOSTS], wait[HOSTS];
byte call[HOSTS], said[HOSTS];	/* 0 none, 1 sent, 2 done */
bool news[HOSTS], trying[HOSTS], granted[HOSTS], dead[HOSTS];
bool ended[HOSTS];		/* its trial no longer counts */
bool own_only = OWN;		/* nobody but host 0 has a reason */
byte since[HOSTS], ran[HOSTS];
byte faults = FAULTS, fails = FAILS, flaps = FLAPS, calm;
hidden byte n, i;

#define DUE(h) (!dead[h] && !trying[h] && call[h] == 0 && \
    view[h] != CLOSED && wait[h] == 0)
#define BUSY(h) (!dead[h] && (call[h] != 0 || news[h] || DUE(h) || \
    (trying[h] && (since[h] >= 1 || ran[h] >= HOLD))))

inline count() {
	n = 0;
	for (i : 0 .. HOSTS - 1) { n = n + (trying[i] && granted[i] && !ended[i]) }
	assert(n <= 1);
}

inline publish() {
	for (i : 0 .. HOSTS - 1) { news[i] = !dead[i] }
}

/* The engine does what the host asks. */
inline try(h) {
	call[h] = 2;
	if
	:: eng == CLOSED -> said[h] = CLOSED
	:: eng == TRIAL && left > 0 -> said[h] = TRIAL
	:: eng == OPEN && left > 0 -> said[h] = OPEN
	:: eng == NIL && grace > 0 && BUG != 2 -> said[h] = NIL
	:: eng != CLOSED && !(eng != NIL && left > 0) &&
	    !(eng == NIL && grace > 0 && BUG != 2) && shy == h &&
	    shy_left > 0 -> said[h] = NIL
	:: else ->
		quiet = (eng == NIL -> true : quiet);
		said[h] = MINE; eng = TRIAL; own = h; left = LEASE;
		if
		:: !quiet || BUG == 5 -> publish()
		:: else
		fi
	fi
}

inline reply(h) {
	call[h] = 0;
	if
	:: said[h] == MINE ->
		trying[h] = true; since[h] = 0; ran[h] = 0;
		granted[h] = true;
		view[h] = TRIAL; wait[h] = LEASE
	:: said[h] == CLOSED -> view[h] = CLOSED; wait[h] = 0
	:: said[h] == TRIAL ->
		view[h] = TRIAL;
		wait[h] = (quiet && BUG != 8 -> 1 : left)
	:: said[h] == OPEN -> view[h] = OPEN; wait[h] = left
	:: else -> view[h] = OPEN; wait[h] = 1
	fi;
	said[h] = 0;
	count()
}

inline take(h) {
	news[h] = false;
	if
	:: eng == NIL || trying[h] || (quiet && BUG != 5) -> skip
	:: else -> view[h] = eng; wait[h] = (eng == CLOSED -> 0 : left)
	fi;
	assert(!own_only || h == 0 || view[h] == CLOSED)
}

/* The provider fails for a moment, and this host opens its circuit. */
inline open(h) {
	view[h] = OPEN; wait[h] = COOL; own_only = false;
	if
	:: eng == TRIAL && (!quiet || BUG == 7) && left > 0
	:: eng == OPEN && left >= COOL
	:: else ->
		for (i : 0 .. HOSTS - 1) {
			ended[i] = ended[i] || trying[i] || said[i] == MINE
		}
		eng = OPEN; left = COOL; quiet = false;
		shy = 255; shy_left = 0; publish()
	fi;
	assert(eng == OPEN || !quiet)
}

/* Its first renewal after a restart makes a trial known again. */
inline renew(h) {
	since[h] = 0;
	if
	:: eng == TRIAL && own == h && BUG != 3 -> left = LEASE
	:: eng == NIL && granted[h] && BUG != 1 ->
		eng = TRIAL; own = h; left = LEASE; quiet = true
	:: else
	fi
}

inline finish(h) {
	trying[h] = false;
	if
	:: DEAF && h == 0 ->
		view[h] = OPEN; wait[h] = COOL;
		if
		:: eng == TRIAL && own == h && quiet && BUG != 6 ->
			eng = NIL; own = 0; left = 0; quiet = false
		:: eng == TRIAL && own == h && !(quiet && BUG != 6) ->
			quiet = false; eng = OPEN; left = (BUG == 4 -> COOL : 0);
			shy = (BUG == 4 -> 255 : h);
			shy_left = COOL; publish()
		:: else
		fi
	:: else ->
		view[h] = CLOSED; wait[h] = 0;
		if
		:: (eng == TRIAL && own == h) || eng == NIL ->
			eng = CLOSED; left = 0; quiet = false; publish()
		:: else
		fi
	fi;
	granted[h] = false; ended[h] = false
}

/* Timeouts open the circuit of host 0.  Another host may try at once.  If the
 * host has just been wrong with that (shy), it is only noted. */
inline flap() {
	flaps--;
	view[0] = OPEN; wait[0] = COOL;
	if
	:: eng == CLOSED && !(shy == 0 && shy_left > 0) ->
		eng = OPEN; left = (BUG == 9 -> COOL : 0); shy = 0;
		shy_left = COOL; publish(); news[0] = false
	:: else
	fi
}

inline tick() {
	left = (left > 0 -> left - 1 : 0);
	grace = (grace > 0 -> grace - 1 : 0);
	shy_left = (shy_left > 0 -> shy_left - 1 : 0);
	calm = (faults + fails + flaps == 0 -> calm + 1 : 0);
	for (i : 0 .. HOSTS - 1) {
		wait[i] = (wait[i] > 0 && !trying[i] -> wait[i] - 1 : wait[i]);
		since[i] = (trying[i] -> since[i] + 1 : 0);
		ran[i] = (trying[i] -> ran[i] + 1 : 0);
	}
	if
	:: calm >= CALM ->
		for (i : 0 .. HOSTS - 1) {
			assert(dead[i] || (DEAF && i == 0) ||
			    view[i] == CLOSED)
		}
	:: else
	fi
}

init {
	byte h;
	bool any;

	for (h : 0 .. HOSTS - 1) {
		view[h] = (OWN && h > 0 -> CLOSED : OPEN)
	}
	eng = (OWN -> NIL : OPEN);
	do
	:: atomic {
		calm < CALM ->
		select(h : 0 .. HOSTS - 1);
		if
		:: !dead[h] && !trying[h] && DUE(h) -> call[h] = 1
		:: call[h] == 1 && !dead[h] -> try(h)
		:: call[h] == 2 && !dead[h] -> reply(h)
		:: news[h] && !dead[h] -> take(h)
		:: trying[h] && since[h] >= 1 -> renew(h)
		:: trying[h] -> finish(h)
		:: flaps > 0 && DEAF && h == 0 && view[0] == CLOSED &&
		    !trying[0] && call[0] == 0 -> flap()
		:: faults > 0 && !dead[h] && HOSTS > 2 && h == 1 ->
			faults--; dead[h] = true; trying[h] = false;
			granted[h] = false; ended[h] = false; call[h] = 0;
			news[h] = false
		:: faults > 0 ->
			faults--; eng = NIL; own = 0; left = 0; shy = 255;
			shy_left = 0; grace = 2; quiet = false
		:: fails > 0 && !dead[h] && view[h] == CLOSED &&
		    !trying[h] && call[h] == 0 && !(DEAF && h == 0) ->
			fails--; open(h)
		:: faults > 0 && call[h] != 0 ->
			faults--; call[h] = 0; trying[h] = true;
			granted[h] = (said[h] == MINE); since[h] = 0;
			ran[h] = 0; said[h] = 0; count()
		:: else
		fi;
		assert(FLAPS == 0 || eng != OPEN || left == 0)
	   }
	:: atomic {
		calm < CALM ->
		any = false;
		for (h : 0 .. HOSTS - 1) { any = any || BUSY(h) }
		if
		:: !any -> tick()
		:: else
		fi
	   }
	:: calm >= CALM -> break
	od
}
