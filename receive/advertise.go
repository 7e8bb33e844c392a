package receive

import (
	"bufio"
	"maps"
	"slices"
	"strings"
)

// capabilities are all implemented: what is not stays out of the list.
const capabilities = "report-status report-status-v2 delete-refs side-band-64k quiet atomic ofs-delta push-options object-format=sha1"

// ownRefs is where the server keeps commits that must outlive their branch. Clients neither see nor move them.
const ownRefs = "refs/hop3/"

func visible(refs map[string]string) map[string]string {
	out := maps.Clone(refs)
	maps.DeleteFunc(out, func(name, _ string) bool { return strings.HasPrefix(name, ownRefs) })
	return out
}

func (s *Server) advertise(r Request, refs map[string]string) error {
	w := bufio.NewWriter(r.Out)
	if slices.Contains(strings.Split(r.Protocol, ":"), "version=1") {
		w.WriteString(pkt("version 1\n")) // bufio keeps the first error for Flush
	}
	agent := s.Agent
	if agent == "" {
		agent = "hop3/dev"
	}
	tail := "\x00" + capabilities + " agent=" + strings.ReplaceAll(sanitise(agent), " ", "-") + "\n"
	if len(refs) == 0 {
		w.WriteString(pkt("%s capabilities^{}%s", zeroID, tail))
	}
	for _, name := range slices.Sorted(maps.Keys(refs)) {
		w.WriteString(pkt("%s %s%s", refs[name], name, tail))
		tail = "\n"
	}
	shallow, err := r.Repo.shallow()
	if err != nil {
		return err
	}
	for _, id := range shallow {
		w.WriteString(pkt("shallow %s\n", id))
	}
	w.WriteString(flushPkt)
	return w.Flush()
}
