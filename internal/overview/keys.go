package overview

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	tea "charm.land/bubbletea/v2"
)

// A prompt is a change that the caller is about to make: first its operand is
// typed, where it has one, then it is confirmed.
type prompt struct {
	line   []string // the command line but for what is typed
	text   string   // what is typed
	typing bool
}

// maxTyped is more than any operand has.
const maxTyped = 100

// open reports whether there is something to answer.
func (p *prompt) open() bool { return p.line != nil }

func (p *prompt) typed(text string) {
	if p.typing && len(p.text)+len(text) <= maxTyped {
		p.text += clean(text)
	}
}

// words is the whole command line.
func (p *prompt) words() []string { return append(slices.Clone(p.line), strings.Fields(p.text)...) }

// press does what a key asks for.
func (m *model) press(key tea.KeyPressMsg) tea.Cmd {
	name := key.String()
	if name == "ctrl+c" {
		return tea.Quit
	}
	if m.prompt.open() {
		return m.answer(name, key.Text)
	}
	switch name {
	case "q", "ctrl+d":
		if m.busy != "" && !m.bad {
			m.told, m.bad = "still at "+m.busy+"; q again cancels it", true
			return nil
		}
		return tea.Quit
	case "esc":
		m.help, m.logOnly, m.told = false, false, ""
	case "up", "k", "shift+tab":
		return m.choose(m.index() - 1)
	case "down", "j", "tab":
		return m.choose(m.index() + 1)
	case "home", "g":
		return m.choose(0)
	case "end", "G":
		return m.choose(len(m.snap.Apps))
	case "l", "enter":
		m.logOnly = !m.logOnly
	case "a":
		m.visits = !m.visits
	case "?", "h":
		m.help = !m.help
	case "r", "b", "s":
		m.ask(name)
	}
	return nil
}

// ask begins a change of the selected app. The gate has the last word; here
// the caller is only spared a question whose answer is known.
func (m *model) ask(key string) {
	a := m.app()
	switch {
	case a == nil:
		return
	case m.busy != "":
		m.told, m.bad = "wait: "+m.busy, false
		return
	case !a.MayOperate:
		m.told, m.bad = fmt.Sprintf("your key may look at %s, not change it", a.Name), true
		return
	}
	m.told = ""
	switch key {
	case "r":
		m.prompt = prompt{line: []string{"ps:restart", a.Name}}
	case "b":
		m.prompt = prompt{line: []string{"rollback", a.Name}, text: earlier(a), typing: true}
	case "s":
		m.prompt = prompt{line: []string{"ps:scale", a.Name}, text: formation(a.Formation), typing: true}
	}
}

// earlier is the release that a rollback would go to.
func earlier(a *App) string {
	seen := false
	for _, r := range a.Releases {
		if seen && r.Status == "retired" {
			return r.Name
		}
		seen = seen || r.Name == a.Release
	}
	return ""
}

func formation(f map[string]int) string {
	var parts []string
	for _, t := range slices.Sorted(maps.Keys(f)) {
		parts = append(parts, fmt.Sprintf("%s=%d", t, f[t]))
	}
	return strings.Join(parts, " ")
}

// answer takes a key while something is asked.
func (m *model) answer(name, text string) tea.Cmd {
	p := &m.prompt
	switch {
	case name == "esc":
		m.prompt, m.told, m.bad = prompt{}, "nothing was changed", false
	case p.typing && name == "enter":
		p.typing = false
	case p.typing && name == "backspace":
		if r := []rune(p.text); len(r) > 0 {
			p.text = string(r[:len(r)-1])
		}
	case p.typing && name == "ctrl+u":
		p.text = ""
	case p.typing:
		p.typed(text)
	case name == "y" || name == "Y":
		line := p.words()
		m.prompt = prompt{}
		return m.do(line)
	default: // anything but yes is no
		m.prompt, m.told, m.bad = prompt{}, "nothing was changed", false
	}
	return nil
}

// do carries a command line out.
func (m *model) do(words []string) tea.Cmd {
	line := strings.Join(words, " ")
	m.busy, m.told, m.bad = line, "", false
	return m.start(func() tea.Msg {
		text, err := m.src.Do(m.ctx, words...)
		return doneMsg{line, text, err}
	})
}
