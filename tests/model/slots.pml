/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * The protocol of src/state/slots.h, for spin.
 *
 * Every waiter is a process of its own that asks once.  What the C code reads
 * or writes in one atomic access (or one system call) is one step here; a look
 * over the rows is a step for each row (with FINE; else one step, for larger
 * numbers).  The kernel's part is in KILL: locks
 * and FIFOs of the dead are gone, what they wrote stays.
 *
 * The 20 ms timers are spin's `timeout`: they fire only where nothing else can
 * move, so many times at the most before the next slot is taken, and without
 * KILLS and STOPS they do not exist at all: an end with somebody asleep (an
 * invalid end state) is a lost wake-up.  But who has waited for swap_wait looks
 * once more then, since nobody else wakes it for that.
 *
 * Parameters (tests/model/run sets them): WAITERS, CLIENTS (waiter i is of
 * client i % CLIENTS), SLOTS, CAP (per_client, 0: none), KILLS, STOPS, LEAVES
 * (how many may give up waiting), MODELS (with `swap`: waiter i is of model
 * i % MODELS; 0: none has one), LATES (how many may have waited for swap_wait,
 * the oldest first).  BUG leaves out one rule, to see that the
 * claims notice: 1 a release wakes nobody; 2 leaving wakes nobody; 4 whoever
 * comes tries at once; 5 a client's slots are not counted again after taking
 * one; 6 the dead are not buried and the stopped not passed over; 7 whether
 * models count is not said by the row but known by who looks, half of them.
 * (That rule 4 of slots.h is needed shows only with more waiters than can be
 * checked.  That who was woken and is not first wakes the first saves only the
 * time of a timer.)
 */
#ifndef BUG
#define BUG 0
#endif
#define ROWS WAITERS
#define NONE ROWS
/* As many rounds of a timer may pass before the next slot is taken. */
#define TIMERS (3 * (KILLS + STOPS))

#if FINE
#define SCAN
#define STEP d_step
#define FUSE
#else
#define SCAN d_step
#define STEP
#define FUSE atomic
#endif

#ifndef MODELS
#define MODELS 0
#define LATES 0
#endif

#define CLIENT(id) ((id) % CLIENTS)
#if MODELS > 0
#define MODEL(id) ((id) % MODELS + 1)
/* 0: it has waited for too long, 1: of the model in use, 2: of another.  mdl is
 * the model in use, as it was read when the look began. */
#define CLASS(row) ((late[key_of[row]] || (BUG == 7 && !(id & 1))) -> 0 : \
	(MODEL(key_of[row]) == mdl -> 1 : 2))
#define READ_MODEL mdl = model
#else
#define MODEL(id) 0
#define CLASS(row) 0
#define READ_MODEL skip
#endif
#define BIT(id) (1 << (id))

/* The mapped file. */
byte key[ROWS];			/* arrival, 0: not published */
byte key_of[ROWS];		/* its waiter: stands for client, cap */
bool dormant[ROWS];
byte owner[ROWS];		/* waiter + 1 */
byte holder[SLOTS];		/* waiter + 1 */
byte start[CLIENTS];		/* clocks */
byte now;
byte seq;
byte stuck;			/* key that leaves a free slot alone */
#if MODELS > 0
byte model;			/* of the latest that began */
bool late[WAITERS];		/* its time is over: the row's, and the clock */
bool looks[WAITERS];		/* its own timer has ended since */
byte lates;
#endif

/* The kernel. */
byte lock[SLOTS];		/* waiter + 1 */
bool reads[ROWS];		/* somebody has the row's FIFO open */
bool fifo[ROWS];		/* there is a byte in it */
bool dead[WAITERS];

/* What the claims are about; no waiter reads these. */
byte waiting;			/* mask: published, not yet gone */
byte before_me[WAITERS];	/* mask: of my client, waited when I came */
bool holds[WAITERS];		/* as far as its client knows */
byte holders;
byte leaves, stops, timers;

#if CAP > 0
#define HELD(c) (held[c])
#define COUNT_HELD d_step { \
	c = 0; do :: c < CLIENTS -> held[c] = 0; c++ :: else -> break od; \
	c = 0; do :: c < SLOTS -> \
		if :: holder[c] != 0 -> held[CLIENT(holder[c] - 1)]++ \
		:: else fi; c++ \
	:: else -> break od; c = 0 }
#define ELIGIBLE(row) (key[row] != 0 && !dormant[row] && \
	held[CLIENT(key_of[row])] < CAP)
#else
#define COUNT_HELD skip
#define ELIGIBLE(row) (key[row] != 0 && !dormant[row])
#endif

/* Row a, read now, before one read earlier as (class, client, arrival, tag)? */
#define BEFORE(a, oclass, oclient, okey, otag) ( \
	CLASS(a) != (oclass) -> CLASS(a) < (oclass) : ( \
	(CLIENT(key_of[a]) == (oclient) || \
	 start[CLIENT(key_of[a])] == (otag)) \
	-> key[a] < (okey) : start[CLIENT(key_of[a])] < (otag)))

/* slots_order_first() */
inline find_first()
{
	COUNT_HELD;
	SCAN {
		best = NONE;
		READ_MODEL;
		r = 0;
		do
		:: r < ROWS -> STEP {
			if
			:: ELIGIBLE(r) && (best == NONE ||
			    BEFORE(r, best_class, best_client, best_key,
				best_tag)) ->
				best = r; best_key = key[r];
				best_class = CLASS(r);
				best_client = CLIENT(key_of[r]);
				best_tag = start[best_client]
			:: else
			fi;
			r++ }
		:: else -> break
		od;
		r = 0; best_key = 0; best_client = 0; best_tag = 0;
		best_class = 0
	}
}

/* slots_wake_row(): a FIFO that nobody reads may keep the byte (its last
 * reader is about to close it, the next opens it) or lose it. */
inline wake_best()
{
	atomic {
		if
		:: best != NONE && reads[best] -> fifo[best] = true
		:: best != NONE && !reads[best]
		:: best != NONE && !reads[best] -> fifo[best] = true
		:: best == NONE
		fi;
		best = NONE
	}
}

/* slots_wake_next() */
inline wake_next()
{
	find_first();
	wake_best()
}

/* It waits no longer, or no longer counts: nobody can overtake it. */
inline forget(whom)
{
	waiting = waiting & ~BIT(whom);
	c = 0;
	do
	:: c < WAITERS -> before_me[c] = before_me[c] & ~BIT(whom); c++
	:: else -> break
	od;
	c = 0
}

/* The kernel's side of a flock that succeeds, and what must hold then. */
inline took()
{
	timers = 0;
	holders++;
	assert(holders <= SLOTS);
	forget(id);
	assert(before_me[id] == 0)
}

/* slots_lock_release() */
inline release()
{
	holder[s] = 0;
	d_step { lock[s] = 0; holders--; s = SLOTS };
	if
	:: BUG != 1 -> wake_next()
	:: else
	fi
}

/* slots_lock_try(): s is the slot, SLOTS where none was free. */
inline try_slots()
{
	atomic {
		s = 0;
#if CAP > 0
		COUNT_HELD;
		if
		:: HELD(CLIENT(id)) >= CAP -> s = 2 * SLOTS
		:: else
		fi
#endif
	};
	/* Two passes: first those that no name stands at, then the others. */
	do
	:: s < 2 * SLOTS && (holder[s % SLOTS] != 0) == (s >= SLOTS) ->
		atomic {
			if
			:: lock[s % SLOTS] == 0 -> d_step {
				s = s % SLOTS;
				lock[s] = id + 1;
				got = true;
				took() };
				break
			:: else -> s++
			fi
		}
	:: s < 2 * SLOTS && (holder[s % SLOTS] != 0) != (s >= SLOTS) -> s++
	:: s == 2 * SLOTS -> break
	od;
	if
	:: !got -> s = SLOTS
	:: got -> holder[s] = id + 1;
#if CAP > 0
		atomic {
			COUNT_HELD;
			if
			:: HELD(CLIENT(id)) > CAP && BUG != 5 -> got = false
			:: else
			fi
		};
		if
		:: !got -> release()
		:: else
		fi
#endif
	fi
}

/* slots_queue_charge() */
inline raise()
{
	d_step {
		if
		:: start[CLIENT(id)] < now -> start[CLIENT(id)] = now
		:: else
		fi
	}
}

inline charge()
{
	FUSE {
		raise();
		d_step {
			if
			:: now < start[CLIENT(id)] -> now = start[CLIENT(id)]
			:: else
			fi;
			start[CLIENT(id)]++
		};
#if MODELS > 0
		model = MODEL(id)
#endif
	}
}

/* slots_order_look(): may this row try? */
inline look()
{
	FUSE {
		dormant[row] = false;
		COUNT_HELD;
		SCAN {
			best_tag = start[CLIENT(id)];
			READ_MODEL;
			best_class = CLASS(row);
			may = ELIGIBLE(row);
			r = 0;
			do
			:: r < ROWS -> STEP {
				if
				:: r != row && ELIGIBLE(r) &&
				    BEFORE(r, best_class, CLIENT(id), mine,
					best_tag) ->
					may = false
				:: else
				fi;
				r++ }
			:: else -> break
			od;
			r = 0; best_tag = 0; best_class = 0
		}
	}
}

inline bury(body)
{
	r = 0;
	do
	:: r < ROWS ->
		best_key = key[r];
		if
		:: owner[r] == body ->
			FUSE {
				d_step {
					if
					:: key[r] == best_key -> key[r] = 0
					:: else
					fi
				};
				d_step {
					if
					:: owner[r] == body && key[r] == 0 ->
						owner[r] = 0
					:: else
					fi
				}
			}
		:: else
		fi;
		d_step { best_key = 0; r++ }
	:: else -> r = 0; break
	od
}

/* slots_queue_check() */
inline check()
{
	atomic {
		find_first();
		if
		:: best != NONE && owner[best] != 0 &&
		    dead[owner[best] - 1] -> body = owner[best]
		:: else
		fi
	};
	if
	:: body != 0 && BUG != 6 -> bury(body); may = true
	:: best != NONE && body == 0 && BUG != 6 -> d_step {
		c = 0;
		do
		:: c < SLOTS && holder[c] != 0 -> c++
		:: else -> break
		od;
		may = (c < SLOTS);
		if
		:: !may -> stuck = 0
		:: may && stuck == key[best] && key[best] != 0 ->
			dormant[best] = true; stuck = 0;
			forget(key_of[best])
		:: else -> stuck = key[best]
		fi;
		c = 0 }
	:: else
	fi;
	best = NONE; body = 0;
	do
	:: c < SLOTS ->
		d_step {
			if
			:: holder[c] != 0 && dead[holder[c] - 1] ->
				holder[c] = 0; may = true
			:: else
			fi;
			c++
		}
	:: else -> c = 0; break
	od;
	if
	:: may -> may = false; wake_next()
	:: else
	fi
}

/* leave() in slots.c */
inline leave()
{
	d_step { key[row] = 0; forget(id) };
	FUSE {
		d_step { reads[row] = false; fifo[row] = false };
		owner[row] = 0;
		row = NONE
	};
	if
	:: BUG != 2 -> wake_next()
	:: else
	fi
}

inline join()
{
	FUSE {
		row = 0;
		do
		:: d_step { owner[row] == 0 -> owner[row] = id + 1 };
			break
		:: owner[row] != 0 -> row++; assert(row < ROWS)
		od;
		reads[row] = true;
		raise()
	};
	d_step { seq++; mine = seq };
	d_step { key[row] = mine; key_of[row] = id; dormant[row] = false;
		waiting = waiting | BIT(id) }
}

proctype waiter(byte id)
{
	byte row = NONE, s = SLOTS, mine, r, c, body;
	byte best = NONE, best_key, best_tag, best_client, best_class;
#if MODELS > 0
	byte mdl;
#endif
	bool got, may, first, told;
#if CAP > 0
	byte held[CLIENTS];
#endif

	{
		/* slots_take(): who of my client is there before me, and is
		 * the queue empty? */
		FUSE {
			d_step {
				c = 0;
				do
				:: c < WAITERS ->
					if
					:: CLIENT(c) == CLIENT(id) &&
					    MODEL(c) == MODEL(id) &&
					    (waiting & BIT(c)) ->
						before_me[id] =
						    before_me[id] | BIT(c)
					:: else
					fi;
					c++
				:: else -> break
				od;
				c = 0
			};
			do
			:: r < ROWS && key[r] == 0 -> r++
			:: r < ROWS && key[r] != 0 -> break
			:: r == ROWS -> break
			od;
			may = (r == ROWS || BUG == 4);
			r = 0
		};
		if
		:: may -> try_slots()
		:: else
		fi;
		if
		:: got -> charge(); goto hold
		:: else
		fi;
		join();
		do
		:: true ->
			look();
			if
			:: may -> try_slots()
			:: else
			fi;
			if
			:: got -> charge(); leave(); goto hold
			:: !got && !may && (first || told) ->
				wake_next()
			:: else
			fi;
			d_step { first = may; may = false; told = false };
			if
			:: fifo[row] -> d_step { fifo[row] = false;
				told = true }
			:: leaves < LEAVES -> leaves++; leave(); goto done
#if LATES > 0
			:: looks[id] -> looks[id] = false
#endif
#if STOPS > 0
			:: stops < STOPS -> stops++;
end_stopped:			dead[id]
#endif
#if KILLS + STOPS > 0
			:: timeout && timers < TIMERS -> timers++; check()
#endif
			fi
		od;
hold:
		skip;
		d_step { holds[id] = true;
			c = 0;
			do
			:: c < WAITERS ->
				if
				:: holds[c] && CLIENT(c) == CLIENT(id) ->
					r++
				:: else
				fi;
				c++
			:: else -> break
			od;
			assert(CAP == 0 || r <= CAP);
			c = 0; r = 0 };
progress:
		skip;
		holds[id] = false;
		release();
done:		skip
	}
#if KILLS > 0
	unless {
		dead[id]
	}
#endif
}

#if KILLS > 0
/* The kernel ends a process: at once for everybody, at any step. */
inline kill(victim)
{
	d_step {
		dead[victim] = true;
		holds[victim] = false;
		k = 0;
		do
		:: k < SLOTS ->
			if :: lock[k] == victim + 1 ->
				lock[k] = 0; holders--
			:: else fi;
			k++
		:: else -> break
		od;
		k = 0;
		do
		:: k < ROWS ->
			if :: owner[k] == victim + 1 ->
				reads[k] = false; fifo[k] = false
			:: else fi;
			k++
		:: else -> break
		od;
		k = 0;
		do
		:: k < WAITERS ->
			before_me[k] = before_me[k] & ~BIT(victim); k++
		:: else -> break
		od;
		waiting = waiting & ~BIT(victim)
	}
}

proctype killer()
{
	byte k, victim, kills;

	do
	:: kills < KILLS ->
		victim = 0;
		do
		:: victim + 1 < WAITERS -> victim++
		:: break
		od;
		kill(victim);
		kills++
	:: break
	od
}
#endif

#if LATES > 0
/* Time: the oldest that waits has waited for too long. */
proctype clock()
{
	byte k, oldest;

	do
	:: lates < LATES -> d_step {
		lates++;
		k = 0; oldest = NONE;
		do
		:: k < ROWS ->
			if
			:: key[k] != 0 && !late[key_of[k]] &&
			    (oldest == NONE || key[k] < key[oldest]) ->
				oldest = k
			:: else
			fi;
			k++
		:: else -> break
		od;
		if
		:: oldest != NONE -> late[key_of[oldest]] = true;
			looks[key_of[oldest]] = true
		:: else
		fi;
		k = 0; oldest = 0 }
	:: break
	od
}
#endif

init
{
	byte i;

	atomic {
		do
		:: i < WAITERS -> run waiter(i); i++
		:: else -> break
		od;
#if KILLS > 0
		run killer()
#endif
#if LATES > 0
		run clock()
#endif
	}
}
