#!/usr/bin/env python3
"""Exhaustive check of how packs are collected beside writers: every interleaving, small scope.

Modelled, one step of one actor at a time:

  backups    A HEAD each: running (names parent and the digest of the parent's manifest), committed
             (names its own manifest), fenced, removed. Manifests are immutable sets of packs.
  writers    w1  read HEAD of a committed parent; make the own HEAD, running, if absent
             w2  read the parent's HEAD again: committed with that very digest, else give up
             w3  write a pack of its own (reading the parent's manifest commutes with everything,
                 as it is immutable and known by digest; the choice what to adopt is made at w4)
             w4  commit: compare-and-swap of the own HEAD; the manifest names the own pack and any
                 packs of the parent's manifest
             A writer may stop for ever, or for any time, between any two steps.
  retention  A committed backup may be removed at any moment, a running one fenced by
             compare-and-swap at any moment (no clock is trusted), a fenced one removed.
  condemning Any pack whose owner is removed, or which a repack made and which has its tombstone,
             may be moved to the trash at any moment. What the collector reads first (c1, c2) is not
             modelled: whatever it condemns, rightly or wrongly, is covered. Its readings save
             rescues; safety does not rest on them.
  collector  The final deletion (c3), of which several may be at work at once:
             A   take the list of what is in the trash; nothing else is deleted below
             B   read each HEAD, one a step, and the manifests of the committed ones
             C   read each HEAD again, one a step: unless all are as in B, this round is over
             D   move back what a committed backup names; if a running one has a parent that is not
                 committed with that very digest, nothing is deleted
             E   delete what A lists and no committed backup names, at any later moment
             Why twice: HEADs only go forward, so two equal readings show one moment between them.
             One reading can be outrun by a chain of writers and removals: its child's HEAD was not
             there yet, its parent's is no longer (mutation "each HEAD is read once").
  repack     R1  mark the HEAD of each committed backup that names the thin pack with the repack's
                 id, by compare-and-swap
             R2  make the tombstone of the id    R3  write the new pack
             R4  for each marked backup: compare-and-swap of its HEAD to a new manifest, unmarked;
                 it fails if anybody touched HEAD since R1
             A mark keeps the repack's packs from being deleted (it is read in B and C). Anybody may
             take it off, by compare-and-swap, at any moment.
  lock       Where repack, condemning, c3 and the removal of committed backups exclude each other,
             and a stopped holder keeps the lock, as flock(2) on one machine does, one reading is
             enough and no marks are needed. A lease on a lock does not do that.

Safety, in every state:
  * each pack that the current manifest of a committed backup names is in packs/ or in trash/
  * each pack there has an owner that is known (a HEAD in any state, or a tombstone): else it could
    never be collected

Left out: the removal of directories and of old manifests, reading (packs/, then trash/, then packs/
again), sudden shrinkage, errors of listings (they end a round, which may end anywhere here anyway),
several repacks at once, power cuts (a step is done or not; tests/storage/power_cut_test.cc).

Each rule that is load-bearing is taken out once and must then be missed: a trace is found.
"""

import argparse
import sys
import time
from collections import deque
from dataclasses import dataclass, replace
from typing import NamedTuple

NONE, RUNNING, COMMITTED, FENCED, REMOVED = "-", "running", "committed", "fenced", "removed"


class Head(NamedTuple):
    state: str = NONE
    parent: int = -1
    parent_digest: int = 0
    digest: int = 0  # which of the backup's manifests is the current one
    marked: bool = False


class Writer(NamedTuple):
    step: int = 0
    parent: int = -1
    digest: int = 0


class Collector(NamedTuple):
    phase: str = "idle"
    next: int = 0
    trash: int = 0  # what the list of A has, or what is to be deleted
    found: tuple = ()  # HEADs as read
    rounds: int = 0


class Repack(NamedTuple):
    phase: str = "idle"
    next: int = 0
    thin: int = 0
    backups: tuple = ()


class State(NamedTuple):
    packs: int  # sets of packs as bits
    trash: int
    deleted: int
    heads: tuple
    manifests: tuple  # of each backup: tuple of sets of packs
    writers: tuple
    collectors: tuple
    repack: Repack
    tombstone: bool
    removals: int
    lock: str


@dataclass(frozen=True)
class Scope:
    """How much of everything there is, and which rules hold."""

    initial: tuple = ((0, 1),)  # packs that each backup, committed at the start, names
    writers: int = 2
    collectors: int = 1
    rounds: int = 1  # of each collector
    removals: int = 2  # of committed backups
    repack: bool = False
    newest_first: bool = False  # the order in which HEADs are read
    lock: bool = False
    # The rules; each is taken out in a mutation.
    recheck: bool = True  # w2
    compare_and_swap: bool = True  # w4
    read_twice: bool = True  # C
    list_first: bool = True  # A before B
    parent_rule: str = "digest"  # D: "parent" must be committed, with any digest, or "none"
    spare_running: bool = True  # condemning
    fence: bool = True  # a lease that has run out is not an end yet
    tombstone: bool = True  # R2
    marks: bool = True  # R1


class Model:
    """Steps from state to state. Backups are numbered: those of the start, then one a writer."""

    def __init__(self, scope):
        self.scope = scope
        count = len(scope.initial)
        packs = sorted({pack for names in scope.initial for pack in names})
        self.first_writer = count
        self.first_packs = (1 << len(packs)) - 1
        self.own_pack = {count + w: len(packs) + w for w in range(scope.writers)}
        # Of each pack; -1: of the repack.
        self.owners = [min(b for b in range(count) if pack in scope.initial[b]) for pack in packs]
        self.owners += [count + w for w in range(scope.writers)] + [-1]
        self.repacked = len(self.owners) - 1
        order = list(range(count + scope.writers))
        self.order = order[::-1] if scope.newest_first else order

    def initial(self):
        scope, count = self.scope, len(self.scope.initial)
        return State(
            packs=self.first_packs, trash=0, deleted=0,
            heads=(Head(COMMITTED),) * count + (Head(),) * scope.writers,
            manifests=tuple((sum(1 << pack for pack in names),) for names in scope.initial) +
            ((),) * scope.writers,
            writers=(Writer(),) * scope.writers,
            collectors=(Collector(),) * scope.collectors,
            repack=Repack(), tombstone=False, removals=0, lock="")

    def broken(self, state):
        """What of the safety does not hold; empty when all does."""
        there = state.packs | state.trash
        for backup, head in enumerate(state.heads):
            if head.state == COMMITTED and state.manifests[backup][head.digest] & ~there:
                return f"a pack of committed backup {backup} is gone"
        for pack, owner in enumerate(self.owners):
            known = state.tombstone if owner < 0 else state.heads[owner].state != NONE
            if there >> pack & 1 and not known:
                return f"pack {pack} has an owner that nobody knows"
        return ""

    def steps(self, state):
        """Every (what was done, state after it)."""
        for index in range(len(state.writers)):
            yield from self.writer_steps(state, index)
        yield from self.retention_steps(state)
        if self.free(state):
            yield from self.condemning_steps(state)
        for index in range(len(state.collectors)):
            yield from self.collector_steps(state, index)
        if self.scope.repack:
            yield from self.repack_steps(state)

    # Writers

    def writer_steps(self, state, index):
        writer, backup = state.writers[index], self.first_writer + index
        if writer.step == 0:
            for parent, head in enumerate(state.heads):
                if head.state == COMMITTED:
                    yield self.written(state, index, Writer(1, parent, head.digest),
                                       f"reads HEAD of {parent}")
        elif writer.step == 1:
            head = Head(RUNNING, writer.parent, writer.digest)
            yield self.written(with_head(state, backup, head), index, writer._replace(step=2),
                               "makes its HEAD")
        elif writer.step == 2:
            parent = state.heads[writer.parent]
            same = parent.state == COMMITTED and parent.digest == writer.digest
            if same or not self.scope.recheck:
                yield self.written(state, index, writer._replace(step=3), "reads the parent again")
        elif writer.step == 3:
            yield self.written(state._replace(packs=state.packs | 1 << self.own_pack[backup]), index,
                               writer._replace(step=4), "writes its pack")
        elif writer.step == 4:
            yield from self.commits(state, index)

    def commits(self, state, index):
        writer, backup = state.writers[index], self.first_writer + index
        head = state.heads[backup]
        allowed = (RUNNING,) if self.scope.compare_and_swap else (RUNNING, FENCED)
        if head.state not in allowed:
            return
        for adopted in subsets(state.manifests[writer.parent][writer.digest]):
            manifest = adopted | 1 << self.own_pack[backup]
            after = state._replace(manifests=put(state.manifests, backup, (manifest,)))
            after = with_head(after, backup, Head(COMMITTED))
            yield self.written(after, index, Writer(5), f"commits {show(manifest)}")

    def written(self, state, index, writer, what):
        return (f"writer of {self.first_writer + index} {what}",
                state._replace(writers=put(state.writers, index, writer)))

    # Retention and condemning

    def retention_steps(self, state):
        for backup, head in enumerate(state.heads):
            if head.state == RUNNING:
                yield f"{backup} is fenced", with_head(state, backup, head._replace(state=FENCED))
            removable = (head.state == COMMITTED and self.free(state) and
                         state.removals < self.scope.removals)
            if removable or head.state == FENCED:
                used = state.removals + (head.state == COMMITTED)
                yield (f"{backup} is removed",
                       with_head(state._replace(removals=used), backup, Head(REMOVED)))
            if head.marked:
                yield (f"the mark of {backup} is taken off",
                       with_head(state, backup, head._replace(marked=False)))

    def condemning_steps(self, state):
        condemned = {REMOVED}
        if not self.scope.spare_running or not self.scope.fence:
            condemned.add(RUNNING)
        for pack, owner in enumerate(self.owners):
            if owner < 0:
                allowed = state.tombstone
            else:
                allowed = state.heads[owner].state in condemned
            if allowed and state.packs >> pack & 1:
                yield (f"pack {pack} is condemned",
                       state._replace(packs=state.packs & ~(1 << pack),
                                      trash=state.trash | 1 << pack))

    # The collector

    def collector_steps(self, state, index):
        collector = state.collectors[index]
        if collector.phase == "idle":
            worth = state.trash or not self.scope.list_first
            if worth and collector.rounds < self.scope.rounds and self.free(state):
                begun = Collector("B", 0, state.trash, rounds=collector.rounds + 1)
                yield self.collected(self.held(state, f"collector {index}"), index, begun,
                                     f"lists the trash: {show(state.trash)}")
        elif collector.phase == "B":
            backup = self.order[collector.next]
            read = self.advanced(collector, "C" if self.scope.read_twice else "D")
            read = read._replace(found=collector.found + (state.heads[backup],))
            yield self.collected(state, index, read, f"reads HEAD of {backup}")
        elif collector.phase == "C":
            backup = self.order[collector.next]
            if state.heads[backup] == collector.found[collector.next]:
                yield self.collected(state, index, self.advanced(collector, "D"),
                                     f"finds HEAD of {backup} as it was")
            else:
                yield self.collected(state._replace(lock=""), index,
                                     Collector(rounds=collector.rounds),
                                     f"finds HEAD of {backup} changed, and gives up")
        elif collector.phase == "D":
            yield self.decides(state, index)
        elif collector.phase == "E":
            gone = collector.trash & state.trash
            after = state._replace(trash=state.trash & ~gone, deleted=state.deleted | gone, lock="")
            yield self.collected(after, index, Collector(rounds=collector.rounds),
                                 f"deletes {show(gone)}")

    def advanced(self, collector, phase_after):
        if collector.next + 1 < len(self.order):
            return collector._replace(next=collector.next + 1)
        return collector._replace(next=0, phase=phase_after)

    def decides(self, state, index):
        collector = state.collectors[index]
        found = dict(zip(self.order, collector.found))
        listed = {backup: head.digest for backup, head in found.items() if head.state == COMMITTED}
        needed = 0
        for backup, digest in listed.items():
            needed |= state.manifests[backup][digest]
        trash = collector.trash if self.scope.list_first else state.trash
        rescued = trash & needed & state.trash
        doomed = 0 if self.protected(found.values(), listed) else trash & ~needed
        if self.scope.marks and any(head.marked for head in found.values()):
            doomed &= ~(1 << self.repacked)
        after = state._replace(packs=state.packs | rescued, trash=state.trash & ~rescued)
        # What follows depends on `doomed` only.
        collector = Collector("E", trash=doomed, rounds=collector.rounds)
        return self.collected(after, index, collector,
                              f"moves back {show(rescued)}, will delete {show(doomed)}")

    def protected(self, heads, listed):
        """Whether a running backup may name packs that no listed backup does."""
        if not self.scope.fence:  # a lease that has run out counts as an end
            return False
        for head in heads:
            if head.state != RUNNING:
                continue
            digest = listed.get(head.parent)
            if self.scope.parent_rule == "digest" and digest != head.parent_digest:
                return True
            if self.scope.parent_rule == "parent" and digest is None:
                return True
        return False

    def collected(self, state, index, collector, what):
        return (f"collector {index} {what}",
                state._replace(collectors=put(state.collectors, index, collector)))

    # Repack

    def repack_steps(self, state):
        repack = state.repack
        if repack.phase == "idle" and self.free(state):
            for thin in sorted({p for names in self.scope.initial for p in names}):
                begun = Repack("mark", 0, thin)
                yield (f"repack of pack {thin} begins",
                       self.held(state, "repack")._replace(repack=begun))
        elif repack.phase == "mark":
            yield self.marks(state)
        elif repack.phase == "tombstone":
            yield ("repack makes its tombstone" if self.scope.tombstone else "repack makes none",
                   state._replace(tombstone=self.scope.tombstone,
                                  repack=repack._replace(phase="write")))
        elif repack.phase == "write":
            if (state.packs | state.trash) >> repack.thin & 1:
                yield ("repack writes its pack",
                       state._replace(packs=state.packs | 1 << self.repacked,
                                      repack=repack._replace(phase="swap")))
        elif repack.phase == "swap":
            yield self.swaps(state)

    def marks(self, state):
        repack = state.repack
        if repack.next == len(state.heads):
            return ("repack has marked all",
                    state._replace(repack=repack._replace(phase="tombstone", next=0)))
        backup = repack.next
        head = state.heads[backup]
        after = state._replace(repack=repack._replace(next=backup + 1))
        if head.state != COMMITTED or not state.manifests[backup][head.digest] >> repack.thin & 1:
            return f"repack passes {backup}", after
        chosen = repack._replace(next=backup + 1, backups=repack.backups + ((backup, head.digest),))
        after = with_head(after, backup, head._replace(marked=self.scope.marks))
        return f"repack marks {backup}", after._replace(repack=chosen)

    def swaps(self, state):
        repack = state.repack
        if repack.next == len(repack.backups):
            return "repack is done", state._replace(repack=Repack("done"), lock="")
        backup, digest = repack.backups[repack.next]
        head = state.heads[backup]
        after = state._replace(repack=repack._replace(next=repack.next + 1))
        untouched = head.marked or not self.scope.marks
        if head.state != COMMITTED or head.digest != digest or not untouched:
            return f"repack cannot swap the manifest of {backup}", after
        manifest = state.manifests[backup][digest] & ~(1 << repack.thin) | 1 << self.repacked
        after = after._replace(
            manifests=put(state.manifests, backup, state.manifests[backup] + (manifest,)))
        return (f"repack swaps the manifest of {backup}",
                with_head(after, backup, head._replace(digest=digest + 1, marked=False)))

    # The lock

    def free(self, state):
        return not (self.scope.lock and state.lock)

    def held(self, state, holder):
        return state._replace(lock=holder) if self.scope.lock else state


def put(values, index, value):
    return values[:index] + (value,) + values[index + 1:]


def with_head(state, backup, head):
    return state._replace(heads=put(state.heads, backup, head))


def subsets(mask):
    """Of the packs in `mask`, the empty set too."""
    part = mask
    while True:
        yield part
        if not part:
            return
        part = (part - 1) & mask


def show(mask):
    return "{" + ",".join(str(pack) for pack in range(mask.bit_length()) if mask >> pack & 1) + "}"


class Store:
    """States as integers, each part of a state by its number: a fifth of the memory."""

    bits = 20

    def __init__(self):
        self.numbers = [{} for _ in State._fields]
        self.parts = [[] for _ in State._fields]

    def pack(self, state):
        packed = 0
        for part, numbers, parts in zip(state, self.numbers, self.parts):
            number = numbers.get(part)
            if number is None:
                number = numbers[part] = len(parts)
                parts.append(part)
            packed = packed << self.bits | number
        return packed

    def unpack(self, packed):
        mask = (1 << self.bits) - 1
        last = len(self.parts) - 1
        return State(*(parts[packed >> self.bits * (last - at) & mask]
                       for at, parts in enumerate(self.parts)))


def explore(scope):
    """(what is broken, or "" after all states were seen; number of states; the shortest trace)"""
    model, store = Model(scope), Store()
    first = store.pack(model.initial())
    before = {first: None}
    queue = deque([first])
    while queue:
        packed = queue.popleft()
        for _, after in model.steps(store.unpack(packed)):
            key = store.pack(after)
            if key in before:
                continue
            before[key] = packed
            broken = model.broken(after)
            if broken:
                return broken, len(before), trace_to(key, before, model, store)
            queue.append(key)
    assert all(len(parts) < 1 << store.bits for parts in store.parts)
    return "", len(before), []


def trace_to(key, before, model, store):
    trace = []
    while before[key] is not None:
        state = store.unpack(before[key])
        trace.append(next(what for what, after in model.steps(state) if store.pack(after) == key))
        key = before[key]
    return trace[::-1]


REPACK = Scope(initial=((0,), (0,)), writers=1, removals=1, repack=True)
SAFE = {
    "2 writers, 2 packs": Scope(),
    "2 writers, 2 packs, newest read first": Scope(newest_first=True),
    "1 writer, 2 collectors": Scope(initial=((0,),), writers=1, collectors=2),
    "repack, 1 writer": REPACK,
    "repack under a lock, each HEAD read once": replace(
        REPACK, lock=True, marks=False, read_twice=False, removals=2),
    "2 writers under a lock, each HEAD read once": Scope(
        initial=((0,),), lock=True, read_twice=False),
}
SOAK = {
    "3 writers under a lock, each HEAD read once": Scope(
        initial=((0,),), writers=3, lock=True, read_twice=False),
    "3 writers": Scope(initial=((0,),), writers=3),
    "2 writers, 2 collectors": Scope(initial=((0,),), collectors=2),
    "2 writers, 2 packs, 2 rounds, 3 removals": Scope(rounds=2, removals=3),
    "repack, 1 writer, 2 packs": replace(REPACK, initial=((0, 1), (0,)), removals=2),
    "repack, 2 collectors": replace(REPACK, writers=0, collectors=2, removals=2),
    "repack, 2 writers": replace(REPACK, initial=((0,),), writers=2),
}
ONE = Scope(initial=((0,),), writers=1)
TWO = Scope(initial=((0,),), writers=2)
MUTATIONS = {
    "w2 is left out": replace(ONE, recheck=False),
    "w4 without compare-and-swap": replace(ONE, compare_and_swap=False),
    "each HEAD is read once": replace(TWO, read_twice=False),
    "HEADs are not read again after the packs went to the trash": replace(TWO, list_first=False),
    "running HEADs do not count": replace(ONE, parent_rule="none"),
    "the digest of a running HEAD's parent does not count": replace(REPACK, parent_rule="parent"),
    "packs of running backups are condemned": replace(ONE, spare_running=False),
    "a lease that has run out counts as an end, unfenced": replace(ONE, fence=False),
    "repack without a tombstone": replace(REPACK, tombstone=False),
    "repack without marks": replace(REPACK, marks=False),
    "repack under a lock, and each HEAD read once, but the lock is a lease": replace(
        REPACK, marks=False, read_twice=False),
}


def check_safe(scopes):
    good = True
    for name, scope in scopes.items():
        begin = time.monotonic()
        broken, count, trace = explore(scope)
        verdict = "safe" if not broken else "BROKEN: " + broken
        print(f"{name}: {verdict} ({count:,} states, {time.monotonic() - begin:.1f} s)", flush=True)
        print("".join(f"    {what}\n" for what in trace), end="")
        good = good and not broken
    return good


def check_mutations(shown):
    good = True
    for name, scope in MUTATIONS.items():
        broken, count, trace = explore(scope)
        verdict = f"caught: {broken}" if broken else "NOT CAUGHT"
        print(f"mutation, {name}: {verdict} ({count:,} states, {len(trace)} steps)", flush=True)
        if shown:
            print("".join(f"    {what}\n" for what in trace), end="")
        good = good and bool(broken)
    return good


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--soak", action="store_true", help="the larger scopes only")
    parser.add_argument("--traces", action="store_true", help="how each mutation goes wrong")
    options = parser.parse_args()
    if options.soak:
        return 0 if check_safe(SOAK) else 1
    good = check_safe(SAFE)
    return 0 if check_mutations(options.traces) and good else 1


if __name__ == "__main__":
    sys.exit(main())
