int main() {
  for (;;) {
  }
}
