package procman

import (
	"cmp"
	"context"
	"fmt"
	"slices"
)

// startAll starts what need not wait for its predecessor's end, and returns when all of it is ready. The first error
// ends the other starts.
//
// Where the old set and the new one together could take more memory than Options.SwapMemory, the new ones start one after
// the other, and old ones stop before the commit to make room, but never the last of a type. What is stopped so is put
// back if the swap fails. We let the old set shrink; giving traffic to each new one in its turn, as others roll, was
// considered; it lost because visitors would see both releases, and a failure half way could not be undone unseen.
func (w *swap) startAll(ctx context.Context) error {
	overlapping := func(i *instance) bool { return !w.exclusive(i.slot) }
	var used, wanted int64
	if err := w.app.do(func() {
		for _, i := range w.app.instances() {
			if i.shim != nil { // those of earlier swaps that are being let go too
				used += i.proc.Limits.MemoryBytes
			}
		}
	}); err != nil {
		return err
	}
	for _, i := range w.news {
		if overlapping(i) {
			wanted += i.proc.Limits.MemoryBytes
		}
	}
	most := w.app.sup.o.SwapMemory
	if most <= 0 || used+wanted <= most {
		return w.startThose(ctx, overlapping)
	}
	w.say("both releases together may take %d MiB, over the %d MiB of a swap: one instance after the other", (used+wanted)>>20, most>>20)
	for _, i := range w.news {
		if !overlapping(i) {
			continue
		}
		freed, err := w.makeRoom(ctx, used+i.proc.Limits.MemoryBytes-most)
		if err != nil {
			return err
		}
		if err := w.startOne(ctx, i); err != nil {
			return err
		}
		used += i.proc.Limits.MemoryBytes - freed
	}
	return nil
}

// makeRoom stops old instances until so many bytes are freed, or none can be spared any more. It returns how much it freed.
func (w *swap) makeRoom(ctx context.Context, bytes int64) (freed int64, err error) {
	for freed < bytes {
		var old *instance
		if off := w.app.do(func() { old = w.spare() }); off != nil {
			return freed, off
		}
		if old == nil {
			return freed, nil
		}
		w.stopped = append(w.stopped, old)
		w.app.pause(w.app.sup.base, old) // not cut short by ctx: half stopped is neither one nor the other
		w.say("%s of the old release stopped", old.slot)
		if err := cmp.Or(context.Cause(ctx), w.app.sup.at(StepPaused)); err != nil {
			return freed, fmt.Errorf("swap %s: %w", w.app.name(), err)
		}
		freed += old.proc.Limits.MemoryBytes
	}
	return freed, nil
}

// spare chooses a live instance that the new release does not keep and that is not the last one up of its type: those with
// the highest index first. It returns nil where there is none. Owner only.
func (w *swap) spare() *instance {
	up := map[string]int{}
	kept := map[slot]bool{}
	for _, i := range w.app.live {
		if i.state == Ready {
			up[i.slot.Type]++
		}
	}
	for _, k := range w.diff.keep {
		kept[k.slot] = true
	}
	for _, i := range slices.Backward(w.app.instances()) {
		if w.app.live[i.slot] == i && i.state == Ready && !kept[i.slot] && !i.proc.Exclusive && up[i.slot.Type] > 1 {
			return i
		}
	}
	return nil
}
