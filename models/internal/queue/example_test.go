package queue_test

import (
	"context"
	"fmt"

	"github.com/neuron2graph/neuron2graph/models/internal/queue"
)

// A lone caller's pieces run at once, here four at a time.
func Example() {
	q := queue.New(queue.Config[string, int]{
		Workers: 1,
		Calls:   8,
		Choose: func(_ string, waiting []int, _ int) []int {
			var first []int
			for i := range waiting[:min(4, len(waiting))] {
				first = append(first, i)
			}
			return first
		},
		Run: func(_ context.Context, key string, batch []int) error {
			fmt.Println(key, batch)
			return nil
		},
	})
	defer q.Close()
	if err := q.Do(context.Background(), "layer 1", []int{1, 2, 3, 4, 5, 6}); err != nil {
		fmt.Println(err)
	}
	// Output:
	// layer 1 [1 2 3 4]
	// layer 1 [5 6]
}
