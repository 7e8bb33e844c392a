package procman

// A Step is a place in a swap, or in what follows it, at which the server may die: the next one must find the old release
// or the new one, whole. Tests inject faults there; see Options.Fault.
type Step string

// The steps of a swap, in their order. Those of one start come once for each instance.
const (
	StepPlanned   Step = "planned"   // what is to be started is known; nothing has happened
	StepRecorded  Step = "recorded"  // an instance is in the record; nothing of it runs
	StepStarted   Step = "started"   // it runs; the record has not its identity
	StepAttached  Step = "attached"  // the record has
	StepReady     Step = "ready"     // it is ready
	StepPaused    Step = "paused"    // the old exclusive instances have ended
	StepExchanged Step = "exchanged" // the new ones are ready: all of the release is
	StepClaimed   Step = "claimed"   // its hosts are ours; the commit is next
	StepCommitted Step = "committed" // the point of no return; the old set has the traffic
	StepInstalled Step = "installed" // the new set has it
	StepDrained   Step = "drained"   // an old instance has nothing in flight
	StepStopped   Step = "stopped"   // it has ended
)

// at tells Options.Fault that a step is reached. Its error is the step's; behind the commit nothing can fail any more and
// it means nothing.
func (s *Supervisor) at(step Step) error {
	if s.o.Fault == nil {
		return nil
	}
	return s.o.Fault(step)
}
