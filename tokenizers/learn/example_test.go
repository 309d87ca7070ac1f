package learn_test

import (
	"context"
	"fmt"

	"github.com/neuron2graph/neuron2graph/tokenizers/learn"
)

func ExampleByteLevel() {
	words := learn.NewByteLevelWords()
	words.Add("low low low lower lowest newer newest")
	v, err := learn.ByteLevel(context.Background(), words, learn.Options{Size: 2 + 256 + 3})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(v.Tokens[2+256:])
	// Output: [lo low Ġlow]
}
