package corpus

import (
	"fmt"
	"strings"
)

// Report is what a pass over a corpus read, and what it left out and why. Package files makes it.
type Report struct {
	Read    []Read    `json:"read"`               // by kind
	LeftOut []LeftOut `json:"left_out,omitempty"` // by reason
}

// Read is what was read of one kind of file.
type Read struct {
	Kind      string `json:"kind"` // such as Parquet or JSON Lines
	Files     int    `json:"files"`
	Documents int    `json:"documents"`
	Bytes     int64  `json:"bytes"` // of the documents' texts, not of the files
}

// LeftOut is what was left out for one reason.
type LeftOut struct {
	Reason  string   `json:"reason"`
	Files   int      `json:"files,omitempty"`
	Records int      `json:"records,omitempty"` // rows and lines of files that were read otherwise
	Names   []string `json:"names"`             // the first few
}

// Documents is how many documents were read in all.
func (r Report) Documents() int {
	n := 0
	for _, read := range r.Read {
		n += read.Documents
	}
	return n
}

// String is one line of what was read and, where something was left out, one of that.
func (r Report) String() string {
	var text strings.Builder
	text.WriteString("read: ")
	for i, read := range r.Read {
		if i > 0 {
			text.WriteString("; ")
		}
		fmt.Fprintf(&text, "%s of %s in %s (%s)", count(read.Documents, "document"), byteCount(read.Bytes),
			count(read.Files, "file"), read.Kind)
	}
	if len(r.Read) == 0 {
		text.WriteString("nothing")
	}
	for i, left := range r.LeftOut {
		if i == 0 {
			text.WriteString("\nleft out: ")
		} else {
			text.WriteString("; ")
		}
		text.WriteString(left.String())
	}
	return text.String()
}

// String is such as 2 files, not UTF-8 text (a.bin, b.bin).
func (l LeftOut) String() string {
	var amounts []string
	total := l.Files + l.Records
	if l.Files > 0 {
		amounts = append(amounts, count(l.Files, "file"))
	}
	if l.Records > 0 {
		amounts = append(amounts, count(l.Records, "record"))
	}
	names := strings.Join(l.Names, ", ")
	if total > len(l.Names) {
		names += ", …"
	}
	return fmt.Sprintf("%s, %s (%s)", strings.Join(amounts, " and "), l.Reason, names)
}

func count(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}

func byteCount(n int64) string {
	units := []string{"bytes", "kB", "MB", "GB", "TB"}
	size, unit := float64(n), 0
	for size >= 1000 && unit < len(units)-1 {
		size, unit = size/1000, unit+1
	}
	if unit == 0 {
		return count(int(n), "byte")
	}
	return fmt.Sprintf("%.3g %s", size, units[unit])
}
