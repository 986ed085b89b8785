import js from '@eslint/js';
import tseslint from 'typescript-eslint';

/**
 * The floors of the house, lowest first. A file may import from its own floor's folder and from the folders
 * listed for it; nothing imports upward.
 */
const floors = {
  native: [],
  ring: ['native'],
  scsi: [],
  handlers: ['scsi', 'native'],
  layers: ['handlers'],
  device: ['ring', 'scsi', 'handlers'],
  target: ['device', 'native'],
  iscsi: ['device', 'scsi'],
  daemon: ['native', 'ring', 'scsi', 'handlers', 'layers', 'device', 'target', 'iscsi'],
  // What is said over the control socket, and nothing else of the daemon: no native code, no device.
  client: ['daemon'],
  testing: ['native', 'ring', 'scsi', 'handlers', 'device', 'iscsi'],
  cli: [
    'native',
    'ring',
    'scsi',
    'handlers',
    'layers',
    'device',
    'target',
    'iscsi',
    'daemon',
    'client',
    'testing',
  ],
};

const floorRules = Object.entries(floors).map(([folder, allowed]) => {
  const forbidden = Object.keys(floors).filter((name) => name !== folder && !allowed.includes(name));
  return {
    files: [`src/${folder}/**/*.ts`],
    rules: {
      'no-restricted-imports': [
        'error',
        {
          patterns: [
            ...(forbidden.length === 0
              ? []
              : [
                  {
                    group: forbidden.flatMap((name) => [
                      `../${name}/*`,
                      `../../${name}/*`,
                      `../../../${name}/*`,
                    ]),
                    message: `src/${folder} may import only from: ${[folder, ...allowed].join(', ')}.`,
                  },
                ]),
            {
              group: [
                '../index.js',
                '../../index.js',
                '**/scsi/index.js',
                '**/testing/index.js',
                '**/client/index.js',
              ],
              message: 'Import the file itself, not a package entry point.',
            },
          ],
        },
      ],
    },
  };
});

export default tseslint.config(
  { ignores: ['dist/', '**/build/', 'coverage/', 'out/', 'prebuilds/', 'docs/api/'] },
  js.configs.recommended,
  {
    files: ['**/*.ts'],
    extends: [...tseslint.configs.recommendedTypeChecked],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/explicit-module-boundary-types': 'error',
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_' }],
      'max-lines': ['error', { max: 400, skipBlankLines: true, skipComments: true }],
      'no-console': 'error',
      eqeqeq: 'error',
    },
  },
  { files: ['src/cli/**/*.ts'], rules: { 'no-console': 'off' } },
  {
    // chai's assertions are expressions; fixtures are functions without an await.
    files: ['test/**/*.ts'],
    rules: {
      '@typescript-eslint/no-unused-expressions': 'off',
      '@typescript-eslint/require-await': 'off',
      '@typescript-eslint/explicit-module-boundary-types': 'off',
    },
  },
  { files: ['**/*.js'], languageOptions: { globals: { process: 'readonly', console: 'readonly' } } },
  ...floorRules,
);
