package n2g

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Work is what an Explanation has cost. The counts depend on the neuron, its examples and the models alone, not on what
// else ran at the same time; an Explanation's JSON holds them, and lacks them where an older program wrote it.
type Work struct {
	Calls       int `json:"calls"`        // of LanguageModel.Activations
	Prompts     int `json:"prompts"`      // sent with them
	Rows        int `json:"rows"`         // tokens run through the model for them; see [RowCounter]
	PlainRows   int `json:"plain_rows"`   // tokens of all prompts that the method asks about, each run whole and by itself
	MaskedCalls int `json:"masked_calls"` // of MaskedModel.Fill
	MaskedTexts int `json:"masked_texts"` // sent with them

	// Stages are the method's stages in order. They are not in the JSON: times differ from run to run, and equal runs
	// write equal bytes.
	Stages []StageWork `json:"-"`
}

// StageWork is what one stage has cost.
type StageWork struct {
	Stage string // activations, prune, importance, augment, variants or graph, as [Options].Observe hears of it
	Calls int    // of either model
	Rows  int
	Time  time.Duration // by the clock, waiting for other neurons included where several are explained at a time
}

// Add adds another Work to this one, stage by stage. Nil adds nothing.
func (w *Work) Add(other *Work) {
	if other == nil {
		return
	}
	w.Calls += other.Calls
	w.Prompts += other.Prompts
	w.Rows += other.Rows
	w.PlainRows += other.PlainRows
	w.MaskedCalls += other.MaskedCalls
	w.MaskedTexts += other.MaskedTexts
	stages := slices.Clone(w.Stages) // Works may share them
	for _, s := range other.Stages {
		i := slices.IndexFunc(stages, func(own StageWork) bool { return own.Stage == s.Stage })
		if i < 0 {
			stages = append(stages, s)
			continue
		}
		stages[i].Calls += s.Calls
		stages[i].Rows += s.Rows
		stages[i].Time += s.Time
	}
	w.Stages = stages
}

// Share is the part of the plain rows that were run, 0 where there are none.
func (w Work) Share() float64 {
	if w.PlainRows == 0 {
		return 0
	}
	return float64(w.Rows) / float64(w.PlainRows)
}

// Time is that of all stages.
func (w Work) Time() time.Duration {
	var sum time.Duration
	for _, s := range w.Stages {
		sum += s.Time
	}
	return sum
}

// String is the counts as a line of a log.
func (w Work) String() string {
	return fmt.Sprintf("%d model calls with %d prompts, %d rows (%.0f %% of %d plain ones), %d masked-model calls with "+
		"%d texts",
		w.Calls, w.Prompts, w.Rows, 100*w.Share(), w.PlainRows, w.MaskedCalls, w.MaskedTexts)
}

// Times is the time by stage as a line of a log.
func (w Work) Times() string {
	var parts []string
	for _, s := range w.Stages {
		parts = append(parts, fmt.Sprintf("%s %s", s.Stage, s.Time.Round(time.Millisecond)))
	}
	return strings.Join(parts, ", ")
}

// RowCounter is what a [LanguageModel] also implements if it computes less than every token it is sent.
type RowCounter interface {
	// Rows is how many tokens such a call of Activations runs through the model, whatever else is asked at the same time:
	// at most the tokens of all prompts, which is what the method assumes of a model that does not tell.
	Rows(prompts, positions [][]int) int
}

// worklog counts the work of one neuron.
type worklog struct {
	Work
	began time.Time // of the last stage; zero before the first
}

// begin ends the stage before, if there is one, and begins another.
func (l *worklog) begin(stage string) {
	l.end()
	l.began = time.Now()
	l.Stages = append(l.Stages, StageWork{Stage: stage})
}

// end ends the last stage.
func (l *worklog) end() {
	if s := l.stage(); s != nil {
		s.Time = time.Since(l.began)
	}
}

// stage is the last one, nil if the work has none: a function that is one stage counts, but nobody asks.
func (l *worklog) stage() *StageWork {
	if len(l.Stages) == 0 {
		return nil
	}
	return &l.Stages[len(l.Stages)-1]
}

// plain counts a prompt that the method asks about.
func (l *worklog) plain(tokens int) { l.PlainRows += tokens }

// call counts a call of the language model that was answered.
func (l *worklog) call(model LanguageModel, prompts, positions [][]int) {
	rows := 0
	if counter, ok := model.(RowCounter); ok {
		rows = counter.Rows(prompts, positions)
	} else {
		for _, ids := range prompts {
			rows += len(ids)
		}
	}
	l.Calls++
	l.Prompts += len(prompts)
	l.Rows += rows
	if s := l.stage(); s != nil {
		s.Calls++
		s.Rows += rows
	}
}

// fill counts a call of the masked model.
func (l *worklog) fill(texts int) {
	l.MaskedCalls++
	l.MaskedTexts += texts
	if s := l.stage(); s != nil {
		s.Calls++
	}
}
