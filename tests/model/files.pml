/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * A host that loses its budgets' file while its workers go on with it
 * (src/state/budget_host.c, budget_earlier.c, src/fleet/purse_script.c), for
 * spin: never do two hosts spend more than the bound, also when the engine is
 * killed meanwhile, and comes back empty or with an old snapshot.
 *
 * purse.pml has the purses of hosts that keep their files.  Here host A has an
 * earlier file (0) and a later one (1); host B has one.  A unit of money is one
 * request, which is held, then used, and some time later written to the ledger.
 * A call and its reply are one step, but for a reply that is lost, and a call
 * of the earlier file that comes late.
 *
 * As in purse.pml, the processes of hosts that are connected are heard before
 * the engine grants anything after a restart: those of a file with an open
 * purse.
 *
 * BUG leaves out one rule: 1 a process that starts later calls its file alone
 * without reading the ledger again; 2 the ledger is read before the later
 * file's own lines are written; 3 the engine believes a later file that it does
 * not know, while the earlier one is in use; 4 a call of the earlier file is
 * executed after one of the later; 5 what is left in the earlier purse is not
 * counted.
 */
#ifndef BUG
#define BUG 0
#endif
#define NONE 255

/* The files of A: what each may use beyond its base, and did. */
byte base[2], allowed[2], used[2], held[2];
byte unwritten[2];	/* used, but not in the ledger yet */
byte ledger;
bool old_lives = true, lost, alone;
/* The look at the later file; what the ledger will have of before it. */
bool looked;
byte seen, found, owed;
byte b_allowed, b_used;

/* The engine: what it has of A and B, and a snapshot of that. */
typedef data {
	bool is, unsure;
	byte file, retired, left, allowed, used, other
};
data now, saved;
byte kills;
bool restarted, learning, heard[2], heard_b;
/* A call of the earlier file that has not arrived. */
byte late_allowed = NONE, late_used;

/* Of one step; 0 between two. */
byte room, grant, sum;
bool unsure;

#define NEVER_OVER assert(used[0] + used[1] + held[0] + held[1] + b_used <= BOUND)

inline hear() {
	if
	:: restarted ->
		restarted = false; learning = true;
		heard[0] = false; heard[1] = false; heard_b = false
	:: else
	fi
}

inline learn() {
	if
	:: learning && heard_b && (heard[1] || heard[0] && allowed[1] == 0) ->
		learning = false
	:: else
	fi
}

inline find_room() {
	sum = now.retired + now.left + now.allowed + now.other;
	room = (sum < BOUND -> BOUND - sum : 0);
	sum = 0
}

/* A says: so much is allowed to this file, of which that is used; one more is
 * wanted, or not. */
inline call_a(f, has, uses, wants) {
	hear();
	grant = 0;
	if
	:: now.is && f < now.file && BUG != 4 -> skip
	:: else ->
		unsure = BUG != 3 && learning && f == 1 && !alone &&
			(!now.is || f > now.file || now.unsure);
		if
		:: now.is && f > now.file ->
			now.retired = now.retired + now.used;
			if
			:: BUG != 5 ->
				now.left = now.left + (now.allowed > now.used ->
					now.allowed - now.used : 0)
			:: else
			fi
		:: else
		fi;
		now.is = true; now.file = f; now.unsure = unsure;
		if
		:: f == 1 && alone -> now.left = 0
		:: else
		fi;
		if
		:: base[f] > now.retired -> now.retired = base[f]
		:: else
		fi;
		now.allowed = has; now.used = uses;
		heard[f] = !unsure;
		learn();
		find_room();
		if
		:: wants && !learning && room > 0 ->
			grant = 1; now.allowed++
		:: else
		fi
	fi;
	room = 0; unsure = false
}


active proctype a() {
	byte f;
	do
	:: atomic { old_lives && held[0] == 0 && used[0] < allowed[0] ->
		held[0]++; NEVER_OVER }
	:: atomic { held[1] == 0 && used[1] < allowed[1] ->
		held[1]++; NEVER_OVER }
	:: atomic { held[0] > 0 -> held[0]--; used[0]++; unwritten[0]++ }
	:: atomic { held[1] > 0 -> held[1]--; used[1]++; unwritten[1]++ }
	:: atomic { unwritten[0] > 0 -> unwritten[0]--; ledger++ }
	:: atomic { unwritten[1] > 0 -> unwritten[1]--; ledger++;
		owed = (owed > 0 -> owed - 1 : 0) }
	/* The file is lost; the ledger says what was spent. */
	:: atomic { !lost -> lost = true; base[1] = ledger }
	/* The last worker with it ends, and its lines are written. */
	:: atomic { lost && old_lives && held[0] == 0 ->
		old_lives = false; ledger = ledger + unwritten[0];
		unwritten[0] = 0 }
	:: atomic { BUG == 1 && lost && !old_lives -> alone = true }
	:: atomic { lost && !old_lives && !looked ->
		looked = true; seen = used[1]; owed = unwritten[1];
		found = ledger + (BUG == 2 -> 0 : owed);
		owed = (BUG == 2 -> 0 : owed) }
	:: d_step { looked && owed == 0 && !alone ->
		alone = true;
		sum = found + used[1] - seen;
		if
		:: sum > base[1] + used[1] -> base[1] = sum - used[1]
		:: else
		fi;
		sum = 0; found = 0; seen = 0 }
	/* Calls; the reply comes, or is lost. */
	:: d_step { old_lives && late_allowed == NONE ->
		call_a(0, allowed[0], used[0], true);
		allowed[0] = allowed[0] + grant; grant = 0 }
	:: d_step { old_lives && late_allowed == NONE ->
		call_a(0, allowed[0], used[0], true); grant = 0 }
	:: d_step { old_lives && late_allowed == NONE ->
		late_allowed = allowed[0]; late_used = used[0] }
	:: d_step { late_allowed != NONE ->
		call_a(0, late_allowed, late_used, true);
		late_allowed = NONE; late_used = 0; grant = 0 }
	:: d_step { lost ->
		call_a(1, allowed[1], used[1], true);
		allowed[1] = allowed[1] + grant; grant = 0 }
	:: d_step { lost -> call_a(1, allowed[1], used[1], true); grant = 0 }
	/* Gives back what nothing holds. */
	:: d_step { lost && allowed[1] > used[1] + held[1] ->
		allowed[1] = used[1] + held[1];
		call_a(1, allowed[1], used[1], false); grant = 0 }
	od
}

inline call_b() {
	hear();
	now.other = b_allowed; heard_b = true;
	learn();
	find_room();
	if
	:: !learning && room > 0 -> now.other++; b_allowed++
	:: else
	fi;
	room = 0
}

active proctype b() {
	do
	:: atomic { b_used < b_allowed -> b_used++; NEVER_OVER }
	:: d_step { true -> call_b() }
	od
}

inline copy(to, from) {
	to.is = from.is; to.unsure = from.unsure; to.file = from.file;
	to.retired = from.retired; to.left = from.left;
	to.allowed = from.allowed; to.used = from.used; to.other = from.other
}

active proctype engine() {
	do
	:: d_step { kills < KILLS -> copy(saved, now) }
	:: d_step { kills < KILLS ->
		kills++; restarted = true; learning = false;
		copy(now, saved); late_allowed = NONE; late_used = 0 }
	:: kills >= KILLS -> break
	od
}
