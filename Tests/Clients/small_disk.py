"""Small file systems of a test's own, which get full, and empty again, when the test says so."""

import contextlib
import errno
import os
import subprocess

MIB = 1 << 20


def run(*command):
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, f"{' '.join(command)}: {done.stderr}"


class Disk:
    """A mounted file system. Root may write everywhere, so what keeps a server from writing is the file system itself."""

    def __init__(self, path, size):
        self.path, self.size = path, size
        path.mkdir()
        self.make()

    def remount(self, options):
        run("mount", "-o", f"remount,{options}", str(self.path))

    def unmount(self):
        run("umount", "-l", str(self.path))


@contextlib.contextmanager
def mounted(kind, path, size):
    """A disk, for as long as it is used."""
    assert os.getuid() == 0, "run as root: the test mounts a small file system"
    disk = kind(path, size)
    try:
        yield disk
    finally:
        disk.unmount()


class MemoryDisk(Disk):
    """tmpfs: its size changes at once, in bytes and in files."""

    def make(self):
        run("mount", "-t", "tmpfs", "-o", f"size={self.size}", "tollgate-test", str(self.path))

    def fill(self, leaving=0):
        """Leaves no more room than that: the file system ends where its files end, or so much later."""
        used = os.statvfs(self.path)
        # A size of 0 is none.
        size = max((used.f_blocks - used.f_bfree) * used.f_frsize + leaving, used.f_frsize)
        self.remount(f"size={size}")

    def make_room(self):
        self.remount(f"size={self.size}")

    def take_no_new_files(self):
        inodes = os.statvfs(self.path)
        self.inodes = inodes.f_files
        self.remount(f"nr_inodes={inodes.f_files - inodes.f_ffree}")

    def take_new_files(self):
        self.remount(f"nr_inodes={self.inodes}")


class ImageDisk(Disk):
    """ext4 in a file, as disks are used: blocks are set aside late, names need blocks of their own."""

    def make(self):
        self.image = self.path.with_suffix(".ext4")
        with open(self.image, "wb") as image:
            image.truncate(self.size)
        run("mkfs.ext4", "-q", "-m", "0", "-F", str(self.image))
        run("mount", "-o", "loop", str(self.image), str(self.path))
        self.filler = self.path / "filler"

    def fill(self, leaving=0):
        """Leaves no block free, or so many bytes: another program's file takes them all."""
        os.sync()
        with open(self.filler, "ab") as filler:
            piece = 64 * MIB
            while piece >= 1_024:
                try:
                    os.posix_fallocate(filler.fileno(), os.fstat(filler.fileno()).st_size, piece)
                except OSError as error:
                    assert error.errno == errno.ENOSPC, error
                    piece //= 2
            filler.truncate(os.fstat(filler.fileno()).st_size - leaving)
        os.sync()

    def make_room(self):
        self.filler.unlink(missing_ok=True)

    def fail(self):
        """As ext4 does after a fault of the disk: from now on it takes no write, of files that are open neither."""
        self.remount("abort")

    def repair(self):
        """As an operator does after a fault. Nobody may be using it."""
        run("umount", str(self.path))
        done = subprocess.run(["fsck.ext4", "-fy", str(self.image)], capture_output=True, text=True)
        assert done.returncode in (0, 1), done.stdout
        run("mount", "-o", "loop", str(self.image), str(self.path))

    def unmount(self):
        super().unmount()
        self.image.unlink()
