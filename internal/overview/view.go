package overview

import (
	"fmt"
	"strings"
	"time"
	"unicode"

	tea "charm.land/bubbletea/v2"
	"charm.land/lipgloss/v2"
	"github.com/charmbracelet/x/ansi"
)

// Sixteen colours are what every terminal with colours has; the renderer takes
// them away where there are none.
var (
	titled  = lipgloss.NewStyle().Bold(true)
	barred  = lipgloss.NewStyle().Reverse(true)
	faint   = lipgloss.NewStyle().Faint(true)
	good    = lipgloss.NewStyle().Foreground(lipgloss.Green)
	warning = lipgloss.NewStyle().Foreground(lipgloss.Yellow)
	wrong   = lipgloss.NewStyle().Foreground(lipgloss.Red)
	curve   = lipgloss.NewStyle().Foreground(lipgloss.Cyan)
	named   = lipgloss.NewStyle().Foreground(lipgloss.Blue)
)

// View draws the screen.
func (m *model) View() tea.View {
	lines := m.screen(m.size.Cols, m.size.Rows)
	for i, l := range lines {
		lines[i] = ansi.Truncate(l, m.size.Cols, "")
	}
	v := tea.NewView(strings.Join(lines, "\n"))
	v.AltScreen = true
	return v
}

// Below these a terminal shows less.
const (
	rowsForReleases  = 20
	rowsForProcesses = 14
	rowsForLog       = 9
	colsForColumns   = 110 // processes and releases side by side
)

// screen are the lines of a screen of that size: never more than rows.
func (m *model) screen(cols, rows int) []string {
	if rows < 3 || cols < 8 {
		return []string{"hop3"}[:min(1, max(rows, 0))]
	}
	head, foot := m.header(cols), m.footer(cols)
	room := rows - 2
	var body []string
	switch {
	case !m.looked:
		body = []string{"", faint.Render("  looking …")}
	case m.help:
		body = m.helpText()
	case len(m.snap.Apps) == 0:
		body = []string{"", "  No app yet. Make one with a push:", "", "    git remote add hop3 ssh://hop3@HOST:PORT/APP", "    git push hop3 main"}
	default:
		body = m.body(cols, room)
	}
	body = body[:min(len(body), room)]
	for len(body) < room {
		body = append(body, "")
	}
	return append(append([]string{head}, body...), foot)
}

// body is the list of apps, and what there is room for of the selected one.
func (m *model) body(cols, room int) []string {
	a := m.app()
	if a == nil {
		return nil
	}
	if m.logOnly {
		return m.log(cols, room)
	}
	var lower []string
	if room >= rowsForProcesses {
		lower = append(lower, "", m.appTitle(a))
		processes, releases := m.processes(a, cols), m.releases(a, cols)
		most := max(2, (room-rowsForProcesses)/3+2)
		switch {
		case cols >= colsForColumns:
			processes, releases = m.processes(a, cols/2), m.releases(a, cols-cols/2)
			lower = append(lower, beside(processes[:min(len(processes), most+1)], releases[:min(len(releases), most+1)], cols/2)...)
		case room >= rowsForReleases:
			lower = append(lower, processes[:min(len(processes), most+1)]...)
			lower = append(lower, releases[:min(len(releases), most)]...)
		default:
			lower = append(lower, processes[:min(len(processes), most)]...)
		}
	}
	logRows := 0
	if room >= rowsForLog {
		logRows = max(4, room/3)
	}
	apps := m.apps(cols, room-len(lower)-logRows)
	out := append(apps, lower...)
	if logRows > 0 {
		out = append(out, m.log(cols, room-len(out))...)
	}
	return out
}

// beside puts two blocks next to each other, the second at column at.
func beside(left, right []string, at int) []string {
	var out []string
	for i := range max(len(left), len(right)) {
		l, r := "", ""
		if i < len(left) {
			l = left[i]
		}
		if i < len(right) {
			r = right[i]
		}
		out = append(out, fit(l, at)+r)
	}
	return out
}

func (m *model) header(cols int) string {
	processes, requests := 0, 0.0
	for _, a := range m.snap.Apps {
		processes += len(a.Processes)
		requests += last(m.rates[a.Name].perSecond)
	}
	left := " " + clean(m.snap.Server)
	if !m.looked {
		left = " hop3"
	}
	if cols >= 60 {
		left += "  " + clean(m.snap.Who)
	}
	right := ""
	if m.looked {
		right = fmt.Sprintf("%s · %s · %.0f req/s  %s ", count(len(m.snap.Apps), "app"), count(processes, "process"), requests, m.snap.At.UTC().Format("15:04:05Z"))
	}
	return barred.Render(spread(left, right, cols))
}

func count(n int, what string) string {
	switch {
	case n == 1:
		return "1 " + what
	case strings.HasSuffix(what, "s"):
		return fmt.Sprintf("%d %ses", n, what)
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// footer is what is asked, what goes on, how the last thing went, or the keys.
func (m *model) footer(cols int) string {
	p := &m.prompt
	switch {
	case p.open() && p.typing:
		return titled.Render(" "+strings.Join(p.line, " ")+" ") + barred.Render(clean(p.text)+" ") + faint.Render("  enter: go on  esc: leave it")
	case p.open():
		return warning.Render(" "+clean(strings.Join(p.words(), " "))+" ?") + titled.Render("  y: do it  n: leave it")
	case m.busy != "" && m.told == "":
		return warning.Render(" " + clean(m.busy) + " …")
	case m.told != "" && m.bad:
		return wrong.Render(" ! " + oneLine(m.told))
	case m.told != "":
		return good.Render(" " + oneLine(m.told))
	}
	keys := " ↑↓ app  l log  a requests  ? help  q quit"
	if a := m.app(); a != nil && a.MayOperate {
		keys = " ↑↓ app  r restart  s scale  b roll back  l log  a requests  ? help  q quit"
	}
	return faint.Render(fit(keys, cols))
}

func (m *model) helpText() []string {
	return []string{
		"", titled.Render("  Keys"),
		"  ↑ ↓ j k     choose an app",
		"  l, enter    its log on the whole screen, and back",
		"  a           its requests instead of its log, and back",
		"  r           restart its processes, without losing a request",
		"  s           scale: how many processes of each type run",
		"  b           roll back to an earlier release",
		"  esc         leave what was begun",
		"  q, ctrl-c   quit",
		"",
		"  r, s and b ask before they change anything. Curves show two minutes;",
		"  cpu is in percent of one core. More commands: ssh … help",
	}
}

// spread puts left and right at the ends of a line; right goes first if both do not fit.
func spread(left, right string, cols int) string {
	if ansi.StringWidth(left)+ansi.StringWidth(right) > cols {
		right = ""
	}
	return fit(left, cols-ansi.StringWidth(right)) + right
}

// fit makes a text exactly so wide.
func fit(s string, width int) string {
	width = max(width, 0)
	s = ansi.Truncate(s, width, "…")
	return s + strings.Repeat(" ", max(0, width-ansi.StringWidth(s)))
}

// right is fit with the text at the right.
func right(s string, width int) string {
	return strings.Repeat(" ", max(0, width-ansi.StringWidth(s))) + ansi.Truncate(s, width, "…")
}

// clean takes away what would steer the terminal: names and messages are other people's.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || !unicode.IsPrint(r) && r != ' ' {
			return -1
		}
		return r
	}, strings.ReplaceAll(ansi.Strip(s), "\t", " "))
}

func oneLine(s string) string { return clean(strings.Join(strings.Fields(s), " ")) }

// ago tells a span roughly, as people do.
func ago(d time.Duration) string {
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%d s", max(0, int(d.Seconds())))
	case d < time.Hour:
		return fmt.Sprintf("%d min", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h", int(d.Hours()))
	}
	return fmt.Sprintf("%d d", int(d.Hours()/24))
}
