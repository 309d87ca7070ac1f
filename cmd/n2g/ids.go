package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// parseIDs reads token ids as a JSON list, or as numbers between commas.
func parseIDs(text string) ([]int, error) {
	trimmed := strings.TrimSpace(text)
	if !strings.HasPrefix(trimmed, "[") {
		trimmed = "[" + trimmed + "]"
	}
	var ids []int
	if err := json.Unmarshal([]byte(trimmed), &ids); err != nil {
		return nil, fmt.Errorf("-ids %q is no list of token ids such as '[0,5,17]'", text)
	}
	if len(ids) == 0 {
		return nil, errors.New("-ids is empty: give at least one token id, such as '[0,5,17]'")
	}
	return ids, nil
}
