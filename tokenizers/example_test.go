package tokenizers_test

import (
	"fmt"
	"log"

	"github.com/neuron2graph/neuron2graph/tokenizers"
)

// The tokens of a text, as to_str_tokens shows them, and where they lie; this file trims blanks off offsets.
func Example() {
	tok, err := tokenizers.Open("../testdata/golden/models/gpt2")
	if err != nil {
		log.Fatal(err)
	}
	text := "the caller must hold the lock"
	enc := tok.Encode(text)
	for i, id := range enc.IDs {
		start, end := enc.Offsets[i][0], enc.Offsets[i][1]
		fmt.Printf("%d %q %q\n", id, tok.TokenString(id), text[start:end])
	}
	fmt.Println(tok.Decode(enc.IDs, false))
	// Output:
	// 2847 "the" "the"
	// 2295 " caller" "caller"
	// 831 " must" "must"
	// 3070 " hold" "hold"
	// 296 " the" "the"
	// 1691 " lock" "lock"
	// the caller must hold the lock
}

// A masked model's text stands between [CLS] and [SEP].
func ExampleTokenizer_encodeSpecial() {
	tok, err := tokenizers.Open("../testdata/golden/models/distilbert")
	if err != nil {
		log.Fatal(err)
	}
	ids := tok.EncodeSpecial("hold the [MASK]").IDs
	for _, id := range ids {
		fmt.Printf("%s ", tok.TokenString(id))
	}
	fmt.Println(ids[len(ids)-2] == tok.Special().Mask)
	// Output:
	// [CLS] hol ##d the [MASK] [SEP] true
}
