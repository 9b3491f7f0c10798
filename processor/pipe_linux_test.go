package processor

import (
	"os"
	"testing"
)

func TestWidenLeavesOtherFilesAlone(t *testing.T) {
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	widen(null)
	if _, err := null.Stat(); err != nil {
		t.Errorf("the file cannot be used any more: %v", err)
	}
}
