package main

import (
	"encoding/json"
	"fmt"
	"strings"
)

// parseNumbers reads a flag's token ids or positions as a JSON list, or as numbers between commas.
func parseNumbers(name, text string) ([]int, error) {
	trimmed := strings.TrimSpace(text)
	if !strings.HasPrefix(trimmed, "[") {
		trimmed = "[" + trimmed + "]"
	}
	var numbers []int
	if err := json.Unmarshal([]byte(trimmed), &numbers); err != nil {
		return nil, fmt.Errorf("-%s %q is no list of whole numbers such as '[0,5,17]'", name, text)
	}
	if len(numbers) == 0 {
		return nil, fmt.Errorf("-%s is empty: give at least one number, such as '[0,5,17]'", name)
	}
	return numbers, nil
}
