package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"io"
)

// encodeJSON writes v as one line. Tokens are not for HTML here: < stays <.
func encodeJSON(w io.Writer, v any) error {
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(v); err != nil {
		return fmt.Errorf("writing JSON: %w", err)
	}
	return nil
}

// writeJSONLines writes a value a line.
func writeJSONLines[T any](w io.Writer, values []T) error {
	return buffered(w, func(w io.Writer) error {
		for _, v := range values {
			if err := encodeJSON(w, v); err != nil {
				return err
			}
		}
		return nil
	})
}

// given tells whether the user set a flag.
func given(fs *flag.FlagSet, name string) bool {
	found := false
	fs.Visit(func(f *flag.Flag) { found = found || f.Name == name })
	return found
}
