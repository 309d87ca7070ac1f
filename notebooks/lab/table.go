package lab

import "strings"

// Table is a table in Markdown. Cells are Markdown too: put tokens and other texts through [Code].
func Table(head []string, rows ...[]string) string {
	var b strings.Builder
	line := func(cells []string) { b.WriteString("| " + strings.Join(cells, " | ") + " |\n") }
	line(head)
	b.WriteString(strings.Repeat("|---", len(head)) + "|\n")
	for _, row := range rows {
		line(row)
	}
	return b.String()
}
