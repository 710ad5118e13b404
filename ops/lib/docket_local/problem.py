"""What went wrong, said so that a person can act: the step, the reason, the log."""


class Problem(Exception):
    def __init__(self, step, why, log=None):
        super().__init__(f'step "{step}" failed: {why}')
        self.step, self.why, self.log = step, why, log

    def told(self):
        lines = [str(self)]
        if self.log:
            lines.append(f"the end of {self.log}:")
            lines += ["    " + line for line in tail(self.log, 15)]
        return "\n".join(lines)


def tail(path, count):
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read().splitlines()[-count:]
    except OSError as error:
        return [f"(cannot be read: {error.strerror})"]
