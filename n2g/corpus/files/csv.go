package files

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/neuron2graph/neuron2graph/n2g/corpus"
)

// table streams a column of CSV or TSV (RFC 4180), whose first row has the names.
func (p *pass) table(in *input, head []byte) bool {
	if bytes.IndexByte(head, 0) >= 0 || !utf8.Valid(head[:corpus.CutAt(head)]) {
		p.tally.leave(reasonNotText, in.name)
		return true
	}
	content := &quoteCounter{budgetReader: budgetReader{reader: in.content}}
	rows := csv.NewReader(content)
	rows.Comma, rows.FieldsPerRecord, rows.LazyQuotes, rows.ReuseRecord = separator(head, p.field), -1, true, true
	content.grant(0)
	names, err := rows.Read()
	if err != nil {
		return p.failf(in.name, "%w", err)
	}
	names = slices.Clone(names)
	for i := range names {
		names[i] = strings.TrimSpace(strings.TrimPrefix(names[i], "\ufeff"))
	}
	column := slices.Index(names, p.field)
	if column < 0 {
		p.tally.leave(kindCSV+" "+reasonNoField(p.field), in.name)
		p.tally.lacks(in.name, names)
		return true
	}
	p.tally.having++
	p.tally.kind(kindCSV).Files++
	for {
		content.grant(rows.InputOffset())
		first, _ := rows.FieldPos(0)
		row, err := rows.Read()
		if err == io.EOF {
			return true
		}
		if err != nil {
			return p.failf(in.name, "behind line %d: %w", first, err)
		}
		line, _ := rows.FieldPos(0)
		last, _ := rows.FieldPos(len(row) - 1)
		if content.ended && content.quotes%2 == 1 && strings.Contains(row[len(row)-1], "\n") {
			return p.failf(in.name, "line %d: a quote that opens there is never closed", last)
		}
		name := fmt.Sprintf("%s:%d", in.name, line)
		if column >= len(row) {
			p.tally.leaveRecord(reasonNoText, name)
			continue
		}
		if !p.document(kindCSV, name, strings.Clone(row[column])) {
			return false
		}
	}
}

// separator is what stands between the columns: what makes the field one of the names of the first row, else what makes
// most.
func separator(head []byte, field string) rune {
	first, _, _ := bytes.Cut(bytes.TrimPrefix(head, []byte("\ufeff")), []byte("\n"))
	best, most := ',', 0
	for _, comma := range []rune{',', '\t', ';', '|'} {
		r := csv.NewReader(bytes.NewReader(first))
		r.Comma, r.LazyQuotes = comma, true
		names, err := r.Read()
		if err != nil && !errors.Is(err, io.EOF) {
			continue
		}
		for _, name := range names {
			if strings.TrimSpace(name) == field {
				return comma
			}
		}
		if len(names) > most {
			best, most = comma, len(names)
		}
	}
	return best
}

// quoteCounter counts quotes, of which a well-formed table has an even number.
type quoteCounter struct {
	budgetReader
	quotes int
	ended  bool
}

func (q *quoteCounter) Read(p []byte) (int, error) {
	n, err := q.budgetReader.Read(p)
	q.quotes += bytes.Count(p[:n], []byte{'"'})
	q.ended = q.ended || err == io.EOF
	return n, err
}
