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
