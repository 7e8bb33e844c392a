package manual

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/spf13/pflag"
)

// Flags describes flags, a line each, in columns.
func Flags(set *pflag.FlagSet) []string {
	var left, right []string
	width := 0
	set.VisitAll(func(f *pflag.Flag) {
		if f.Hidden {
			return
		}
		name := "    --" + f.Name
		if f.Shorthand != "" {
			name = "-" + f.Shorthand + ", --" + f.Name
		}
		value, text := pflag.UnquoteUsage(f)
		if f.Value.Type() != "bool" {
			if !strings.Contains(f.Usage, "`") { // pflag says the type then
				value = strings.ToUpper(f.Name)
			}
			name += " " + value
			if f.DefValue != "" && !slices.Contains([]string{"0", "0s", "[]"}, f.DefValue) {
				text += fmt.Sprintf(" (default %s)", f.DefValue)
			}
		}
		left, right = append(left, name), append(right, text)
		width = max(width, utf8.RuneCountInString(name))
	})
	for i := range left {
		left[i] = fmt.Sprintf("%-*s  %s", width, left[i], right[i])
	}
	return left
}
