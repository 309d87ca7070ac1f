package files

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/neuron2graph/neuron2graph/n2g/corpus"
	"github.com/neuron2graph/neuron2graph/n2g/internal/parquet"
)

// maxNames is how many of what was left out for one reason are named.
const maxNames = 5

// tally counts what is read and left out.
type tally struct {
	read map[string]*corpus.Read
	left map[string]*corpus.LeftOut

	// of tables and lists, a table without the column counting once; those that have the field
	records, having int
	single          int             // files of one JSON object without the field, which may be no data
	first           string          // the first without it
	fields          map[string]bool // other fields of those without it
	holdsRecords    *bool           // see pass.holdsRecords
}

func newTally() *tally {
	return &tally{read: map[string]*corpus.Read{}, left: map[string]*corpus.LeftOut{}, fields: map[string]bool{}}
}

func (t *tally) kind(kind string) *corpus.Read {
	r := t.read[kind]
	if r == nil {
		r = &corpus.Read{Kind: kind}
		t.read[kind] = r
	}
	return r
}

// leave counts a file that is left out, or the rest of one.
func (t *tally) leave(reason, name string) { t.reason(reason, name).Files++ }

// leaveRecord counts a record that is left out.
func (t *tally) leaveRecord(reason, name string) { t.reason(reason, name).Records++ }

func (t *tally) reason(reason, name string) *corpus.LeftOut {
	l := t.left[reason]
	if l == nil {
		l = &corpus.LeftOut{Reason: reason}
		t.left[reason] = l
	}
	if len(l.Names) < maxNames {
		l.Names = append(l.Names, name)
	}
	return l
}

// lacks counts records, or one file of them, that have other fields only.
func (t *tally) lacks(name string, fields []string) {
	t.records++
	if t.first == "" {
		t.first = name
	}
	for _, f := range fields {
		if len(t.fields) < 100 {
			t.fields[f] = true
		}
	}
}

// doubtful counts a file of one JSON object without the field.
func (t *tally) doubtful(name string, fields []string) {
	t.single++
	if t.records == 0 {
		t.lacks(name, fields)
		t.records--
	}
}

// mostWithout is after how many records without the field the rest is not waited for.
const mostWithout = 100_000

// hopeless says that the field is in none of very many records.
func (t *tally) hopeless() bool { return t.having == 0 && t.records >= mostWithout }

// missingField is an error where there were records and none had the field.
func (t *tally) missingField(field string) error {
	documents := t.report().Documents()
	if t.having > 0 || t.records == 0 && (t.single == 0 || documents > 0) {
		return nil
	}
	return fmt.Errorf("corpus: no record has a field %q, the first being %s; there are %s: name the one that holds the "+
		"text",
		field, t.first, parquet.Names(slices.Sorted(maps.Keys(t.fields))))
}

func (t *tally) report() corpus.Report {
	var r corpus.Report
	for _, read := range t.read {
		if read.Files > 0 {
			r.Read = append(r.Read, *read)
		}
	}
	for _, left := range t.left {
		r.LeftOut = append(r.LeftOut, *left)
	}
	slices.SortFunc(r.Read, func(a, b corpus.Read) int { return strings.Compare(a.Kind, b.Kind) })
	slices.SortFunc(r.LeftOut, func(a, b corpus.LeftOut) int { return cmp.Compare(a.Reason, b.Reason) })
	return r
}
