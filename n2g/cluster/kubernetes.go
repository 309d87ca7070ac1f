package cluster

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"text/template"

	"github.com/neuron2graph/neuron2graph/internal/tagged"
)

// Kubernetes says what is asked of Kubernetes.
type Kubernetes struct {
	Name   string `flag:"name" default:"n2g" help:"NAME that the Jobs' names begin with"`
	Image  string `flag:"image" help:"IMAGE that holds n2g"`
	Claim  string `flag:"claim" help:"NAME of the PersistentVolumeClaim, ReadWriteMany, that is mounted at -dir"`
	CPU    string `flag:"cpu" default:"4" help:"QUANTITY of processors of a task"`
	Memory string `flag:"memory" default:"8Gi" help:"QUANTITY of memory of a task"`
	GPUs   int    `flag:"gpus" help:"NVIDIA GPUs of a task"`
	Limit  int    `flag:"parallelism" help:"tasks of a Job that run at a time (default: all)"`
	Wait   string `flag:"wait" default:"72h" help:"TIME that a stage waits for those before it"`
}

// Manifest returns a Job of batch/v1 for each stage, Indexed where it has several tasks. Kubernetes knows no order of
// Jobs: those of later stages wait in the job's folder for the results of earlier ones.
func Manifest(f Folder, j *Job, o Kubernetes) (string, error) {
	tagged.Fill(&o)
	if err := j.check(); err != nil {
		return "", err
	}
	switch {
	case o.Image == "":
		return "", errors.New("name the image that holds n2g with -image IMAGE")
	case o.Claim == "":
		return "", errors.New("name the claim that all tasks share with -claim NAME")
	}
	job, err := json.Marshal(j)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	for _, s := range j.Stages() {
		parts := j.Parts(s)
		limit := parts
		if o.Limit > 0 {
			limit = min(o.Limit, parts)
		}
		err := manifest.Execute(&b, map[string]any{
			"Name": o.Name + "-" + string(s), "Stage": string(s), "Parts": parts, "Limit": limit, "Image": o.Image,
			"Claim": o.Claim, "Dir": string(f),
			"Program": j.Program, "Job": string(job), "CPU": o.CPU, "Memory": o.Memory, "GPUs": o.GPUs, "Heavy": s == Mine ||
				s == Run, "Wait": o.Wait,
		})
		if err != nil {
			return "", fmt.Errorf("the manifest: %w", err)
		}
	}
	return b.String(), nil
}

// JSON is YAML: values are quoted as JSON has them.
var manifest = template.Must(template.New("job").Funcs(template.FuncMap{"q": func(v string) (string, error) {
	text, err := json.Marshal(v)
	return string(text), err
}}).Parse(`---
apiVersion: batch/v1
kind: Job
metadata:
  name: {{q .Name}}
spec:
  completions: {{.Parts}}
  parallelism: {{.Limit}}
  completionMode: Indexed
  backoffLimitPerIndex: 2
  maxFailedIndexes: {{.Parts}}
  podFailurePolicy:
    rules:
      # A machine that goes away, or makes way for something else, is no failure of the task.
      - action: Ignore
        onPodConditions:
          - type: DisruptionTarget
            status: "True"
      - action: Count
        onExitCodes:
          operator: NotIn
          values: [0]
  template:
    spec:
      restartPolicy: Never
      terminationGracePeriodSeconds: 120
      containers:
        - name: n2g
          image: {{q .Image}}
          command: [{{q .Program}}, "task", "-dir", {{q .Dir}}, "-stage", {{q .Stage}}, "-scratch", "/scratch", "-wait", {{q .Wait}}, "-job", {{q .Job}}]
          resources:
            requests:
              cpu: {{q .CPU}}
              memory: {{q .Memory}}
            limits:
              memory: {{q .Memory}}{{if and .GPUs .Heavy}}
              nvidia.com/gpu: "{{.GPUs}}"{{end}}
          volumeMounts:
            - name: job
              mountPath: {{q .Dir}}
            - name: scratch
              mountPath: /scratch
      volumes:
        - name: job
          persistentVolumeClaim:
            claimName: {{q .Claim}}
        - name: scratch
          emptyDir: {}
`))
