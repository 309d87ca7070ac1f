package models_test

import (
	"context"
	"fmt"
	"log"
	"strings"

	"github.com/neuron2graph/neuron2graph/models"
)

func ExampleMasked_Fill() {
	m, err := models.OpenMasked("../testdata/golden/models/distilbert", models.Options{Backend: "go"})
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()
	text := "func (t *[MASK]) Execute(wr io.Writer)"
	filled, err := m.Fill(context.Background(), []string{text}, []int{strings.Index(text, m.MaskToken())})
	if err != nil {
		log.Fatal(err)
	}
	n := 0
	for word, p := range filled[0] {
		fmt.Printf("%s %.3f\n", word, p)
		if n++; n == 3 {
			break
		}
	}
	// Output:
	// ( 0.089
	// ) 0.085
	// . 0.074
}
