package overview

import "time"

// history is how many looks are remembered: two minutes.
const history = 120

// rates are what an app's counters say over time, oldest first.
type rates struct {
	at       time.Time
	requests uint64
	errors   uint64
	cpu      map[int]time.Duration // by pid

	perSecond []float64 // requests
	failing   []float64 // 5xx answers per second
	cores     []float64 // cpu, in cores
	memory    []float64 // bytes
	processes map[int]float64
}

// add takes the next look at the app. A counter that fell has begun anew.
func (r *rates) add(at time.Time, a App) {
	dt := at.Sub(r.at).Seconds()
	first := r.at.IsZero()
	cpu, each := map[int]time.Duration{}, map[int]float64{}
	cores, memory := 0.0, 0.0
	for _, p := range a.Processes {
		cpu[p.Pid] = p.CPU
		memory += float64(p.Memory)
		if before, ok := r.cpu[p.Pid]; ok && p.CPU >= before && dt > 0 {
			each[p.Pid] = (p.CPU - before).Seconds() / dt
			cores += each[p.Pid]
		}
	}
	if !first && dt > 0 {
		r.perSecond = push(r.perSecond, rate(r.requests, a.Requests, dt))
		r.failing = push(r.failing, rate(r.errors, a.Errors, dt))
		r.cores = push(r.cores, cores)
	}
	r.memory = push(r.memory, memory)
	r.at, r.requests, r.errors, r.cpu, r.processes = at, a.Requests, a.Errors, cpu, each
}

func rate(before, now uint64, dt float64) float64 {
	if now < before {
		return 0
	}
	return float64(now-before) / dt
}

func push(list []float64, v float64) []float64 {
	list = append(list, v)
	if len(list) > history {
		list = append(list[:0], list[len(list)-history:]...)
	}
	return list
}

// last is the newest value, 0 before there is one.
func last(list []float64) float64 {
	if len(list) == 0 {
		return 0
	}
	return list[len(list)-1]
}

// bars are the levels of a sparkline.
var bars = []rune("▁▂▃▄▅▆▇█")

// steady is the top of memory's curve, in maxima: what does not change much
// stands half way up, not as a block.
const steady = 2

// spark draws the newest values, width at most, against headroom times their
// maximum. What was not measured yet is blank.
func spark(list []float64, width int, headroom float64) string {
	if width <= 0 {
		return ""
	}
	line := make([]rune, width)
	for i := range line {
		line[i] = ' '
	}
	list = list[max(0, len(list)-width):]
	top := 0.0
	for _, v := range list {
		top = max(top, headroom*v)
	}
	for i, v := range list {
		level := 0
		if top > 0 {
			level = min(len(bars)-1, int(v/top*float64(len(bars))))
		}
		line[width-len(list)+i] = bars[level]
	}
	return string(line)
}
