{
  # Only the bench's: built at its first run, and no part of the package.
  'targets': [
    {
      'target_name': 'ring_bench',
      'dependencies': ["<!(node -p \"require('node-addon-api').targets\"):node_addon_api_except"],
      'defines': ['NAPI_VERSION=8'],
      'sources': [
        'native/addon.cc',
        'native/adopt-descriptor.cc',
        'native/consumer.cc',
        'native/data-area.cc',
        'native/generator-group.cc',
        'native/generator.cc',
        'native/shared-ring.cc',
      ],
      'include_dirs': ['../../native'],
      'cflags_cc': ['-std=c++17', '-O2', '-Wall', '-Wextra', '-fvisibility=hidden'],
    },
  ],
}
