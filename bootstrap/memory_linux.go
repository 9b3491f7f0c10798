package bootstrap

import (
	"bufio"
	"bytes"
	"os"
	"strconv"
	"strings"
)

// freeMemory returns how much memory is free: that of the machine, or what the limit of the
// container leaves.
func freeMemory() (bytes int64, known bool) {
	free, known := meminfo()
	for _, files := range [][2]string{
		{"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"},
		{"/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory/memory.usage_in_bytes"},
	} {
		limit, limited := readNumber(files[0])
		used, ok := readNumber(files[1])
		if limited && ok && (!known || limit-used < free) {
			free, known = limit-used, true
		}
	}
	return free, known
}

// meminfo returns the memory that the kernel calls available.
func meminfo() (int64, bool) {
	text, _ := os.ReadFile("/proc/meminfo")
	for lines := bufio.NewScanner(bytes.NewReader(text)); lines.Scan(); {
		if value, found := strings.CutPrefix(lines.Text(), "MemAvailable:"); found {
			kB, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(value, "kB")), 10, 64)
			return kB << 10, err == nil
		}
	}
	return 0, false
}

func readNumber(file string) (int64, bool) {
	text, err := os.ReadFile(file)
	if err != nil {
		return 0, false
	}
	n, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
	return n, err == nil // "max" is none
}
