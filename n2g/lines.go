package n2g

// Line is one line of section 5: tokens from an activating one back to the furthest that matters to it.
type Line struct {
	Elements []Element `json:"elements"` // the activating token first
	End      float64   `json:"end"`      // normalised activation of the activating token
}

// Element is a token of a Line.
type Element struct {
	Token      string  `json:"token"` // normalised, or IgnoreToken
	Activation float64 `json:"activation"`
	Importance float64 `json:"importance"`
	Important  bool    `json:"important"`
	Activator  bool    `json:"activator"`
	Ignore     bool    `json:"ignore,omitempty"`
	LineEnd    bool    `json:"line_end,omitempty"`
}

// Lines turns a pruned prompt and its variants into lines, one for each token whose activation exceeds
// ActivationThreshold (section 5.1 and 5.2): of the pruned prompt first, then of each variant in order. What was
// important in the pruned prompt is important at the same place of a variant, whatever the variant's own importances
// say. Each Measured needs its Matrix, of which only the columns of activating tokens are read; what a Matrix lacks
// counts as importance 0. The pruned prompt may stand among the variants again: its lines come out equal.
func Lines(pruned *Measured, variants []*Measured, opts Options) []Line {
	set := opts.settings()
	return linesOf(pruned, variants, &set)
}

func linesOf(pruned *Measured, variants []*Measured, opts *settings) []Line {
	b := lineBuilder{activation: opts.ActivationThreshold, importance: opts.ImportanceThreshold}
	b.add(pruned, true)
	for _, variant := range variants {
		b.add(variant, false)
	}
	return b.lines
}

type lineBuilder struct {
	activation, importance float64
	// inherited[j] holds the positions that were important to token j of the pruned prompt.
	inherited []map[int]bool
	lines     []Line
}

// add appends the lines of a prompt; those of the pruned one record what variants inherit.
func (b *lineBuilder) add(m *Measured, pruned bool) {
	if m == nil || len(m.Tokens) == 0 {
		return
	}
	if pruned {
		b.inherited = make([]map[int]bool, len(m.Tokens))
	}
	bos := m.Tokens[0]
	for j := range min(len(m.Tokens), len(m.Activations)) {
		// An activating BOS makes no line, wherever it stands, though the text may hold it (section 10.2).
		if m.Activations[j] > b.activation {
			if line := b.line(m, bos, j, pruned); len(line.Elements) > 0 {
				b.lines = append(b.lines, line)
			}
		}
	}
}

// line walks back from token j to the last token important to it.
func (b *lineBuilder) line(m *Measured, bos string, j int, pruned bool) Line {
	line := Line{End: m.Activations[j]}
	if m.Tokens[j] == bos {
		return line
	}
	length := 0 // of the line up to the last important element, the activating one at least
	for i := j; i >= 0; i-- {
		if m.Tokens[i] == bos {
			continue
		}
		importance := m.importance(i, j)
		important := importance > b.importance
		if pruned && important {
			if b.inherited[j] == nil {
				b.inherited[j] = make(map[int]bool)
			}
			b.inherited[j][i] = true
		}
		important = important || !pruned && b.inherits(i, j)
		element := Element{
			Token:      IgnoreToken,
			Activation: m.Activations[i],
			Importance: importance,
			Important:  important,
			Activator:  m.Activations[i] > b.activation,
			Ignore:     !important && i != j,
		}
		if !element.Ignore {
			element.Token = NormalizeToken(m.Tokens[i])
			length = len(line.Elements) + 1
		}
		line.Elements = append(line.Elements, element)
	}
	line.Elements = line.Elements[:length:length]
	line.Elements[length-1].LineEnd = true
	return line
}

// inherits says whether position i was important to position j in the pruned prompt, or to its last position where
// the pruned prompt is shorter.
func (b *lineBuilder) inherits(i, j int) bool {
	if len(b.inherited) == 0 {
		return false
	}
	return b.inherited[min(j, len(b.inherited)-1)][i]
}

// importance is Matrix[i][j], or 0 where that was not measured.
func (m *Measured) importance(i, j int) float64 {
	if i < len(m.Matrix) && j < len(m.Matrix[i]) {
		return m.Matrix[i][j]
	}
	return 0
}
