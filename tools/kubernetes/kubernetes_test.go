// Package kubernetes holds the manifests that n2g writes to the types that Kubernetes publishes. It is no part of the
// program's module, which does without them.
package kubernetes

import (
	"bytes"
	"os"
	"testing"

	batch "k8s.io/api/batch/v1"
	"sigs.k8s.io/yaml"
)

func TestManifest(t *testing.T) {
	content, err := os.ReadFile("../../n2g/cluster/testdata/kubernetes.yaml")
	if err != nil {
		t.Fatal(err)
	}
	documents := bytes.Split(content, []byte("---\n"))[1:]
	if len(documents) != 4 {
		t.Fatalf("%d documents", len(documents))
	}
	for i, document := range documents {
		var job batch.Job
		if err := yaml.UnmarshalStrict(document, &job); err != nil {
			t.Fatalf("document %d: %v", i, err)
		}
		spec := job.Spec
		switch {
		case job.Kind != "Job" || job.APIVersion != "batch/v1":
			t.Errorf("document %d is a %s of %s", i, job.Kind, job.APIVersion)
		case spec.CompletionMode == nil || *spec.CompletionMode != batch.IndexedCompletion || *spec.Completions < 1 ||
			*spec.Parallelism > *spec.Completions:
			t.Errorf("%s: %+v", job.Name, spec)
		// what the first two need
		case spec.BackoffLimitPerIndex == nil || spec.PodFailurePolicy == nil || spec.Template.Spec.RestartPolicy != "Never":
			t.Errorf("%s: %+v", job.Name, spec)
		case len(spec.Template.Spec.Volumes) != len(spec.Template.Spec.Containers[0].VolumeMounts):
			t.Errorf("%s: volumes %+v", job.Name, spec.Template.Spec.Volumes)
		}
		if gpu := spec.Template.Spec.Containers[0].Resources.Limits["nvidia.com/gpu"]; gpu.IsZero() != (i%2 == 1) {
			t.Errorf("%s: GPUs %v", job.Name, gpu)
		}
	}
}
