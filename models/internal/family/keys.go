package family

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
)

// everyFamily are keys that change what any model of Hugging Face's computes, and are not implemented; see
// family.fixed.
var everyFamily = map[string]string{
	"quantization_config": "null", "pruned_heads": "{}", "is_causal": "true", "is_encoder_decoder": "false",
	"use_bidirectional_attention": "false",
}

// checkKeys refuses a configuration that gives one of the keys another value than the one that changes nothing.
func checkKeys(text []byte, fixed map[string]string) error {
	var file map[string]json.RawMessage
	if err := read(text, &file); err != nil {
		return err
	}
	all := maps.Clone(everyFamily)
	maps.Copy(all, fixed)
	for _, key := range slices.Sorted(maps.Keys(all)) {
		value, ok := file[key]
		if !ok || string(value) == "null" || sameJSON(value, all[key]) {
			continue
		}
		if all[key] == "null" {
			return fmt.Errorf("it sets %s, which changes what the model computes and is not implemented", key)
		}
		return fmt.Errorf("it sets %s to %s, which changes what the model computes and is not implemented: only %s is",
			key, shorten(value), all[key])
	}
	return nil
}

// sameJSON compares a value with one that is written without blanks; numbers go by their value.
func sameJSON(value json.RawMessage, want string) bool {
	var compact bytes.Buffer
	if json.Compact(&compact, value) != nil {
		return false
	}
	if compact.String() == want {
		return true
	}
	var a, b float64
	return json.Unmarshal(value, &a) == nil && json.Unmarshal([]byte(want), &b) == nil && a == b
}

// shorten is a value in a message.
func shorten(value json.RawMessage) string {
	const most = 60
	var compact bytes.Buffer
	if json.Compact(&compact, value) != nil || compact.Len() > most {
		return string(value[:min(len(value), most)]) + "…"
	}
	return compact.String()
}
