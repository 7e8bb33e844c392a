package overview

import (
	"fmt"

	"charm.land/lipgloss/v2"
)

// stateStyle colours a state.
func stateStyle(state string) lipgloss.Style {
	switch state {
	case "running", "ready", "live":
		return good
	case "crashed", "exited", "failed", "withdrawn":
		return wrong
	case "stopped", "empty", "retired":
		return faint
	}
	return warning
}

// Widths of the columns of apps.
const (
	minName     = 6
	maxName     = 18
	stateCols   = 9
	releaseCols = 6
	procsCols   = 4
	minCurve    = 4
	maxCurve    = 30
)

// A layout is which columns of apps there is room for.
type layout struct {
	name, values, curve int // width of the name, number of values, width of each one's curve
}

// values are the columns that have a curve: heading and width of the number.
var values = []struct {
	heading string
	width   int
}{{"REQ/S", 6}, {"CPU", 6}, {"MEMORY", 6}}

func (m *model) layout(cols int) layout {
	longest := minName
	for _, a := range m.snap.Apps {
		longest = max(longest, len(a.Name))
	}
	l := layout{name: min(longest, maxName, max(minName, cols/3))}
	room := cols - (1 + l.name + 1 + stateCols + 1 + releaseCols + procsCols)
	for _, v := range values {
		if room < v.width+1 {
			return l
		}
		room -= v.width + 1
		l.values++
	}
	if c := room/len(values) - 1; c >= minCurve {
		l.curve = min(c, maxCurve)
	}
	return l
}

// apps lists as many apps as there is room for, the selected one among them.
func (m *model) apps(cols, room int) []string {
	l := m.layout(cols)
	heading := " " + fit("APP", l.name) + " " + fit("STATE", stateCols) + " " + fit("REL", releaseCols) + right("N", procsCols)
	for _, v := range values[:l.values] {
		heading += " " + right(v.heading, v.width)
		if l.curve > 0 {
			heading += fit("", l.curve+1)
		}
	}
	out := []string{titled.Render(heading)}
	room = max(1, room-1)
	at := max(0, m.index())
	from := max(0, min(at-room/2, len(m.snap.Apps)-room))
	for i := from; i < min(from+room, len(m.snap.Apps)); i++ {
		out = append(out, m.appRow(&m.snap.Apps[i], i == at, l))
	}
	return out
}

func (m *model) appRow(a *App, chosen bool, l layout) string {
	r := m.rates[a.Name]
	mark, style := " ", lipgloss.NewStyle()
	if chosen {
		mark, style = "▸", titled
	}
	line := mark + style.Render(fit(clean(a.Name), l.name)) + " " + stateStyle(a.State).Render(fit(a.State, stateCols)) + " " + fit(dash(a.Release), releaseCols) + right(fmt.Sprint(len(a.Processes)), procsCols)
	texts := []string{fmt.Sprintf("%.0f", last(r.perSecond)), percent(last(r.cores)), size(last(r.memory))}
	headroom := []float64{1, 1, steady}
	for i, list := range [][]float64{r.perSecond, r.cores, r.memory}[:l.values] {
		line += " " + right(texts[i], values[i].width)
		if l.curve > 0 {
			line += " " + r.style(i).Render(spark(list, l.curve, headroom[i]))
		}
	}
	return line
}

// style of a curve: requests are red while some fail.
func (r *rates) style(value int) lipgloss.Style {
	if value == 0 && last(r.failing) > 0 {
		return wrong
	}
	return curve
}

func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

func percent(cores float64) string { return fmt.Sprintf("%.0f %%", 100*cores) }

func size(bytes float64) string {
	switch {
	case bytes >= 1<<30:
		return fmt.Sprintf("%.1f G", bytes/(1<<30))
	case bytes >= 1<<20:
		return fmt.Sprintf("%.0f M", bytes/(1<<20))
	}
	return fmt.Sprintf("%.0f K", bytes/(1<<10))
}

func (m *model) appTitle(a *App) string {
	line := " " + titled.Render(clean(a.Name)) + "  " + named.Render(clean(a.URL)) + "  " + formation(a.Formation)
	if r := m.rates[a.Name]; last(r.failing) > 0 {
		line += "  " + wrong.Render(fmt.Sprintf("%.1f failing/s", last(r.failing)))
	}
	if a.InFlight > 0 {
		line += fmt.Sprintf("  %d in flight", a.InFlight)
	}
	return line
}

// processes lists the processes of an app, a heading first.
func (m *model) processes(a *App, cols int) []string {
	wide := cols >= 60
	heading := " " + fit("PROCESS", 12) + " " + fit("STATE", stateCols) + " " + right("CPU", 6) + " " + right("MEMORY", 7) + " " + right("UP", 7)
	if wide {
		heading += " " + right("PID", 8) + " " + right("RESTARTS", 8)
	}
	out := []string{faint.Render(heading)}
	for _, p := range a.Processes {
		line := " " + fit(clean(p.Name), 12) + " " + stateStyle(p.State).Render(fit(p.State, stateCols)) + " " +
			right(percent(m.rates[a.Name].processes[p.Pid]), 6) + " " + right(size(float64(p.Memory)), 7) + " " + right(ago(m.snap.At.Sub(p.Since)), 7)
		if wide {
			line += " " + right(fmt.Sprint(p.Pid), 8) + " " + right(fmt.Sprint(p.Restarts), 8)
		}
		out = append(out, line)
	}
	if len(a.Processes) == 0 {
		out = append(out, faint.Render(" no process runs"))
	}
	return out
}

// releases lists the releases of an app, a heading first.
func (m *model) releases(a *App, cols int) []string {
	out := []string{faint.Render(" " + fit("RELEASE", 8) + " " + fit("STATUS", 10) + " " + right("AGO", 7) + "  CHANGE")}
	for _, r := range a.Releases {
		style := lipgloss.NewStyle()
		if r.Name == a.Release {
			style = titled
		}
		out = append(out, style.Render(" "+fit(r.Name, 8))+" "+stateStyle(r.Status).Render(fit(r.Status, 10))+" "+
			right(ago(m.snap.At.Sub(r.At)), 7)+"  "+fit(oneLine(r.Change)+", "+clean(r.By), max(0, cols-31)))
	}
	return out
}

// log shows the newest lines of the selected app's log under a heading.
func (m *model) log(cols, room int) []string {
	if room < 2 {
		return nil
	}
	title, lines := " LOG OF ", m.lines
	if m.visits {
		title, lines = " REQUESTS OF ", m.access
	}
	out := []string{faint.Render(fit(title+clean(m.selected), cols))}
	for _, l := range lines[max(0, len(lines)-room+1):] {
		out = append(out, " "+faint.Render(l.At.UTC().Format("15:04:05"))+" "+named.Render(fit(clean(l.Process), 10))+" "+clean(l.Text))
	}
	return out
}
