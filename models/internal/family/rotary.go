package family

import (
	"fmt"
)

// ropeParameter is how newer files describe rotary positions.
type ropeParameter struct {
	Type     string   `json:"rope_type"`
	OldType  string   `json:"type"`
	Theta    *float64 `json:"rope_theta"`
	Fraction *float64 `json:"partial_rotary_factor"`
}

// check refuses the stretched forms of rotary positions.
func (r ropeParameter) check() error {
	for _, kind := range []string{r.Type, r.OldType} {
		if kind != "" && kind != "default" {
			return fmt.Errorf("rotary positions of type %q are not supported: only the default type is", kind)
		}
	}
	return nil
}
