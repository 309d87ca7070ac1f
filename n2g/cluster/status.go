package cluster

import (
	"encoding/json"
	"os"
	"time"
)

// StageStatus is how far a stage is.
type StageStatus struct {
	Stage       Stage        `json:"stage"`
	Tasks       int          `json:"tasks"`
	Done        int          `json:"done"`
	Running     int          `json:"running"`
	Failed      int          `json:"failed"`
	Interrupted int          `json:"interrupted"` // stopped, or killed; what they did is kept
	Left        int          `json:"left"`        // not begun
	Troubles    []TaskStatus `json:"troubles,omitempty"`
}

// TaskStatus is a task that failed, was stopped, or has not been heard of.
type TaskStatus struct {
	Number   int    `json:"task"`
	State    string `json:"state"`
	Host     string `json:"host"`
	Job      string `json:"job,omitempty"`
	Attempts int    `json:"attempts"`
	Reason   string `json:"reason,omitempty"`
}

// silence after which a running task counts as killed.
const silence = 3 * time.Minute

// ReadStatus tells how far a job is, from its folder alone.
func ReadStatus(f Folder) ([]StageStatus, error) {
	j, err := f.Job()
	if err != nil {
		return nil, err
	}
	var list []StageStatus
	for _, s := range j.Stages() {
		stage := StageStatus{Stage: s, Tasks: j.Parts(s)}
		for number := 1; number <= j.Parts(s); number++ {
			path := f.state(s, number)
			last, err := readState(path)
			switch {
			case f.Done(s, number) && (err != nil || last.State != failed):
				stage.Done++
				continue
			case err != nil:
				stage.Left++
				continue
			}
			trouble := TaskStatus{number, last.State, last.Host, last.Job, last.Attempts, last.Reason}
			switch last.State {
			case running:
				if info, err := os.Stat(path); err == nil && time.Since(info.ModTime()) < silence {
					stage.Running++
					continue
				}
				stage.Interrupted++
				trouble.State, trouble.Reason = interrupted,
					"it has not been heard of since "+last.Started.Format(time.DateTime)+": it was killed, or its machine is down"
			case failed:
				stage.Failed++
			default:
				stage.Interrupted++
			}
			stage.Troubles = append(stage.Troubles, trouble)
		}
		list = append(list, stage)
	}
	return list, nil
}

func readState(path string) (state, error) {
	var s state
	content, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(content, &s)
	}
	return s, err
}
