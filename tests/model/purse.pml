/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * The protocol of src/state/budget_purse.h and src/fleet/purse_script.c, for
 * spin: hosts spend from purses that an engine fills, which is killed and comes
 * back empty or with an old snapshot.  Never is more spent than the bound.
 *
 * One host's process is a process here; what C does under the budgets' lock,
 * and what the script does, is one step.  A call's message waits in the network
 * (one place per host, so that a call whose caller gave up may come after the
 * next one: `late`), and its reply may be lost.  A unit of money is one
 * request.
 *
 * The timer of the script (`rec`) says that hosts which are connected have
 * been heard: here a generation ends only when each host that is not cut off
 * has called.  A host may be cut off for good, once another has heard from the
 * engine after its last call: who is cut off with what nobody else has heard of, while the engine loses
 * its data, is not known to anybody (doc/fleet.md says so).
 *
 * Parameters (tests/model/run sets them): HOSTS, BOUND, KILLS (of the engine),
 * CUTS (hosts that may be cut off), CALLS (that a host makes).  BUG leaves out one rule: 1 a late call is
 * executed; 2 another run is not noticed; 3 nobody is waited for that only
 * others remember; 4 a purse is made smaller here after the store has heard of
 * it; 5 what a host says that it has is not believed.
 */
#ifndef BUG
#define BUG 0
#endif

/* The engine: a host's entry, and what a snapshot has of it. */
typedef entry {
	bool is;
	byte seq, allowed, used, gen
};
entry now[HOSTS], old[HOSTS];
byte ver, old_ver, v0, vhosts;
byte life, data_life;		/* the engine's run; that of its data */
byte gen;
bool learning, is_old;
byte kills;
byte known[HOSTS];		/* by which others what it has is, as a mask */

/* The hosts. */
byte allowed[HOSTS], used[HOSTS], seq[HOSTS];
byte seen_ver[HOSTS], seen_hosts[HOSTS];
bool cut[HOSTS];
byte ncut;

/* The network: a call that waits, and one whose caller has given up. */
typedef call {
	bool is;
	byte seq, allowed, used, want, ver, hosts
};
call sent[HOSTS], late[HOSTS];

#define TOTAL (now[0].allowed + now[1].allowed + \
	(HOSTS > 2 -> now[HOSTS - 1].allowed : 0))
#define SPENT (used[0] + used[1] + (HOSTS > 2 -> used[HOSTS - 1] : 0))

/* Of one step; zero between two. */
byte i, count, missing, room, was;
bool done;

inline clear_entry(e) {
	e.is = false; e.seq = 0; e.allowed = 0; e.used = 0; e.gen = 0
}

inline clear_call(c) {
	c.is = false; c.seq = 0; c.allowed = 0; c.used = 0; c.want = 0;
	c.ver = 0; c.hosts = 0
}

inline doubt() {
	gen++;
	v0 = ver; vhosts = 0;
	is_old = false;
	learning = true
}

/* The script, for a call c of host h. */
inline script(h, c) {
	done = false;
	if
	:: BUG != 2 && data_life != life -> doubt(); data_life = life
	:: BUG != 2 && data_life == life && !learning && c.ver > ver -> doubt()
	:: else
	fi;
	if
	:: c.ver > ver -> ver = c.ver
	:: else
	fi;
	ver++;
	if
	:: now[h].is && c.seq <= now[h].seq && BUG != 1 -> skip
	:: else ->
		done = true;
		known[h] = 0;
		if
		:: learning && (!now[h].is || now[h].gen != gen) ->
			if
			:: c.ver > v0 -> is_old = true
			:: else
			fi;
			if
			:: c.hosts > vhosts -> vhosts = c.hosts
			:: else
			fi
		:: else
		fi;
		now[h].is = true;
		now[h].seq = c.seq;
		now[h].gen = gen;
		was = now[h].allowed;
		now[h].allowed = c.allowed;
		if
		:: BUG == 5 && was > 0 -> now[h].allowed = was
		:: else
		fi;
		now[h].used = c.used;
		count = 0; missing = 0;
		i = 0;
		do
		:: i < HOSTS ->
			if
			:: now[i].is -> count++
			:: else
			fi;
			if
			:: now[i].is && now[i].gen != gen &&
			   (is_old || now[i].allowed > now[i].used) -> missing++
			/* The timer: those who can have called. */
			:: !cut[i] && now[i].gen != gen &&
			   (allowed[i] > 0 || seen_ver[i] > 0) -> missing++
			:: else
			fi;
			i++
		:: else -> break
		od;
		if
		:: is_old && vhosts > count && BUG != 3 -> missing++
		:: else
		fi;
		if
		:: learning && missing == 0 -> learning = false
		:: else
		fi;
		room = (TOTAL < BOUND -> BOUND - TOTAL : 0);
		if
		:: !learning && c.want > now[h].allowed ->
			was = c.want - now[h].allowed;
			if
			:: was > room -> was = room
			:: else
			fi;
			now[h].allowed = now[h].allowed + was
		:: else
		fi
	fi;
	i = 0; room = 0; was = 0
}

/* The host learns of it. */
inline reply(h) {
	if
	:: done ->
		allowed[h] = now[h].allowed;
		seen_ver[h] = ver;
		count = 0; i = 0;
		do
		:: i < HOSTS ->
			if
			:: now[i].is ->
				count++;
				known[i] = known[i] | (1 << h)
			:: else
			fi;
			i++
		:: else -> break
		od;
		seen_hosts[h] =
			(learning && vhosts > count -> vhosts : count)
	:: else
	fi;
	i = 0; count = 0; missing = 0; done = false
}

inline make_call(h, wanted) {
	seq[h]++;
	sent[h].is = true;
	sent[h].seq = seq[h];
	sent[h].allowed = allowed[h];
	sent[h].used = used[h];
	sent[h].want = wanted;
	sent[h].ver = seen_ver[h];
	sent[h].hosts = seen_hosts[h]
}

proctype host(byte h) {
	do
	:: atomic { used[h] < allowed[h] -> used[h]++; assert(SPENT <= BOUND) }
	/* Asks for one more than it has. */
	:: atomic { !cut[h] && !sent[h].is && seq[h] < CALLS ->
		make_call(h, allowed[h] + 1) }
	/* Gives back. */
	:: atomic { !cut[h] && !sent[h].is && seq[h] < CALLS &&
		allowed[h] > used[h] ->
		if
		:: BUG == 4 ->
			make_call(h, used[h]); sent[h].allowed = used[h]
		:: else ->
			allowed[h] = used[h]; make_call(h, used[h])
		fi }
	/* The store executes it, and the host learns of it, or not. */
	:: d_step { sent[h].is && !cut[h] ->
		script(h, sent[h]); reply(h); clear_call(sent[h]) }
	:: d_step { sent[h].is ->
		script(h, sent[h]); clear_call(sent[h]);
		i = 0; count = 0; missing = 0; done = false }
	/* The caller gives up; the call may come yet, or never. */
	:: atomic { sent[h].is && !late[h].is ->
		late[h].is = true; late[h].seq = sent[h].seq;
		late[h].allowed = sent[h].allowed; late[h].used = sent[h].used;
		late[h].want = sent[h].want; late[h].ver = sent[h].ver;
		late[h].hosts = sent[h].hosts;
		clear_call(sent[h]) }
	:: d_step { late[h].is ->
		script(h, late[h]); clear_call(late[h]);
		i = 0; count = 0; missing = 0; done = false }
	:: atomic { ncut < CUTS && !cut[h] &&
		(known[h] & ~(1 << h)) != 0 ->
		cut[h] = true; ncut++ }
	:: atomic { seq[h] >= CALLS && !sent[h].is && !late[h].is &&
		used[h] == allowed[h] -> break }
	:: atomic { cut[h] && used[h] == allowed[h] && !sent[h].is &&
		!late[h].is -> break }
	od
}

proctype engine() {
	do
	:: d_step { kills < KILLS ->
		i = 0;
		do
		:: i < HOSTS ->
			old[i].is = now[i].is; old[i].seq = now[i].seq;
			old[i].allowed = now[i].allowed;
			old[i].used = now[i].used; old[i].gen = now[i].gen;
			i++
		:: else -> break
		od;
		old_ver = ver; i = 0 }
	/* What was on the way to it is gone with it. */
	:: d_step { kills < KILLS ->
		kills++; life++;
		i = 0;
		do
		:: i < HOSTS ->
			now[i].is = old[i].is; now[i].seq = old[i].seq;
			now[i].allowed = old[i].allowed;
			now[i].used = old[i].used; now[i].gen = old[i].gen;
			clear_call(sent[i]); clear_call(late[i]);
			i++
		:: else -> break
		od;
		ver = old_ver; i = 0 }
	:: kills >= KILLS -> break
	od
}

init {
	atomic {
		byte h = 0;
		do
		:: h < HOSTS -> run host(h); h++
		:: else -> break
		od;
		run engine()
	}
}
